"""The local authority, and what is checked of certificates from files."""

import resource
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from paas.domain.certificate import KeyPair
from paas.errors import DiskFullError, InvalidError, PaasError
from paas.tls.authority import Authority
from paas.tls.files import keep, sweep
from paas.tls.pair import checked, covers

NOW = datetime.now(UTC)
HOST = "shop.example.com"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "tls" / "authority.pem", now=NOW)


def test_the_authority_is_made_once_and_its_key_is_private(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "tls" / "authority.pem"
    assert Authority.open(path, now=NOW).certificate == authority.certificate
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "PRIVATE" not in authority.certificate


def test_a_damaged_authority_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    path.write_text("nothing")
    with pytest.raises(PaasError, match=r"authority\.pem cannot be read\. Restore it"):
        Authority.open(path, now=NOW)


@pytest.mark.parametrize("host", [HOST, "*.example.com", "a" * 63 + ".example.com"])
def test_what_the_authority_issues_stands_its_own_check(authority: Authority, host: str) -> None:
    issued = authority.issue(host, now=NOW)
    assert checked(issued.pair, host=host, now=NOW) == issued
    assert timedelta(days=390) < issued.expires_at - NOW < timedelta(days=398)


def test_a_client_that_trusts_the_authority_trusts_what_it_issues(
    authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "c1.pem"
    keep(authority.issue(HOST, now=NOW).pair, path)
    assert path.stat().st_mode & 0o777 == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.create_default_context(cadata=authority.certificate)
    assert _handshake(client, server, HOST)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(client, server, "blog.example.com")


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> bool:
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(one, other, server_hostname=host),
        server.wrap_bio(other, one, server_side=True),
    ]
    for _ in range(4):
        for end in tuple(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
    return not ends


Change = Callable[[KeyPair, Authority], KeyPair]


def _locked(pair: KeyPair, _: Authority) -> KeyPair:
    key = serialization.load_pem_private_key(pair.key.encode(), password=None)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    return KeyPair(pair.chain, pem.decode())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            lambda pair, _: KeyPair("none", pair.key), "certificate file is not PEM", id="no certificate"
        ),
        pytest.param(lambda pair, _: KeyPair(pair.chain, "none"), "is no private key in PEM", id="no key"),
        pytest.param(
            lambda pair, _: KeyPair(pair.chain, pair.chain), "is no private key", id="two certificates"
        ),
        pytest.param(_locked, "protected by a passphrase", id="passphrase"),
        pytest.param(
            lambda pair, by: KeyPair(pair.chain, by.issue(HOST, now=NOW).pair.key),
            "does not belong to the certificate",
            id="another key",
        ),
        pytest.param(
            lambda _, by: by.issue("blog.example.com", now=NOW).pair,
            r"not for shop\.example\.com\. It is for blog\.example\.com",
            id="another host",
        ),
        pytest.param(
            lambda _, by: by.issue(HOST, now=NOW - timedelta(days=500)).pair, "expired on 20", id="expired"
        ),
        pytest.param(
            lambda _, by: by.issue(HOST, now=NOW + timedelta(days=5)).pair, "not valid before", id="too early"
        ),
    ],
)
def test_a_pair_that_does_not_fit_is_refused(authority: Authority, change: Change, sentence: str) -> None:
    pair = change(authority.issue(HOST, now=NOW).pair, authority)
    with pytest.raises(InvalidError, match=sentence):
        checked(pair, host=HOST, now=NOW)


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("shop.example.com", "shop.example.com", True),
        ("Shop.Example.com", "shop.example.com", True),
        ("*.example.com", "shop.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "a.shop.example.com", False),
        ("*.example.com", "example.com", False),
        ("shop.example.com", "*.example.com", False),
    ],
)
def test_a_wildcard_stands_for_one_label(name: str, host: str, expected: bool) -> None:
    assert covers(name, host) is expected


def test_a_pair_that_tls_does_not_take_leaves_no_file(authority: Authority, tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    key = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "c1.pem"
    with pytest.raises(InvalidError, match="TLS does not take this certificate"):
        keep(KeyPair(authority.issue(HOST, now=NOW).pair.chain, key.decode()), path)
    assert not path.exists()


def test_a_full_disk_keeps_no_part_of_a_key(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(HOST, now=NOW).pair
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(pair.key) // 2, hard))
    try:
        with pytest.raises(DiskFullError):
            keep(pair, tmp_path / "full" / "c1.pem")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "full").iterdir()) == []


def test_files_that_nothing_uses_are_swept_away(tmp_path: Path) -> None:
    used, old, other = tmp_path / "c2.pem", tmp_path / "c1.pem", tmp_path / "notes.txt"
    unfinished = tmp_path / "c3.pem.part"
    for path in (used, old, other, unfinished):
        path.touch()
    sweep(tmp_path, used=[used])
    sweep(tmp_path / "none", used=[])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c2.pem", "notes.txt"]


def test_a_key_pair_never_shows_itself(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority.issue(HOST, now=NOW))
