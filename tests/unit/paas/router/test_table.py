"""The routing table: its file, and who a host belongs to."""

from pathlib import Path

import pytest

from paas.domain.ids import AppId, InstanceId
from paas.domain.names import AppName
from paas.domain.route import Backend, RoutedApp, RoutedCertificate, RoutingTable
from paas.errors import InvalidError
from paas.router.table import from_json, load, lookup, to_json, write_atomically


def app(name: str, *hosts: str) -> RoutedApp:
    backend = Backend(InstanceId("i1"), "web.1", 42, "127.0.0.1:20001", "ticket")
    certificate = RoutedCertificate(hosts[0], "/keys/c1.pem")
    return RoutedApp(
        AppId(name),
        AppName(name),
        hosts,
        (backend,),
        maintenance=True,
        sticky=True,
        certificates=(certificate,),
        pinned=42,
    )


TABLE = RoutingTable(
    7,
    (
        app("exact", "www.example.com"),
        app("wide", "*.example.com"),
        app("deep", "*.b.example.com"),
        app("shop", "shop.localhost"),
    ),
)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop.localhost", "shop"),
        ("SHOP.Localhost", "shop"),
        ("shop.localhost:8080", "shop"),
        ("shop.localhost.", "shop"),
        ("shop.localhost.:8080", "shop"),
        ("www.example.com", "exact"),
        ("api.example.com", "wide"),
        ("a.b.example.com", "deep"),
        ("x.a.b.example.com", "deep"),
        ("b.example.com", "wide"),
        ("example.com", None),
        ("evilexample.com", None),
        ("other.localhost", None),
        ("[::1]:8080", None),
        ("[::1]", None),
        ("*.example.com", "wide"),
    ],
)
def test_a_host_belongs_to_its_own_route_else_to_the_longest_wildcard(host: str, name: str | None) -> None:
    found = lookup(TABLE, host)
    assert (found.name if found else None) == name


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    write_atomically(TABLE, path)
    assert load(path) == TABLE == from_json(to_json(TABLE))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["routes.json"]


def test_a_table_of_an_earlier_mini_is_read_without_what_it_did_not_know() -> None:
    backend = '{"instance":"i1","name":"web.1","version":42,"address":"127.0.0.1:20001"}'
    app = f'{{"app":"a","name":"shop","hosts":["shop.localhost"],"backends":[{backend}],"maintenance":false}}'
    (read,) = from_json(f'{{"version":3,"apps":[{app}]}}').apps
    assert (read.sticky, read.certificates, read.pinned, read.backends[0].ticket) == (False, (), None, "")


def test_no_file_is_the_empty_table(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == RoutingTable(0)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": "x", "apps": []}', '{"version":1,"apps":[{}]}']
)
def test_a_damaged_table_is_an_error_and_no_empty_table(text: str) -> None:
    with pytest.raises(InvalidError):
        from_json(text)
