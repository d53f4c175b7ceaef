from pathlib import Path

import pytest

from builds.arguments import Arguments, build_arguments
from paas.settings import Settings


def passed(tmp_path: Path, **environ: str) -> Arguments:
    return build_arguments(Settings(home=tmp_path), {"HOME": str(tmp_path), **environ})


def test_nothing_of_the_servers_environment_is_passed_unless_it_is_listed(tmp_path: Path) -> None:
    given = passed(
        tmp_path, PATH="/bin", SECRET="canary", DATABASE_URL="canary", UV_CACHE_DIR="/x", PIP_CERT="/y"
    )
    assert given.values == {}
    assert given.left_out == ()


def test_proxies_are_passed_but_those_that_only_this_machine_reaches(tmp_path: Path) -> None:
    given = passed(
        tmp_path,
        HTTPS_PROXY="http://user:secret@proxy.example:3128",
        http_proxy="http://127.0.0.1:3128",
        NO_PROXY="localhost",
    )
    assert dict(given.proxies) == {
        "HTTPS_PROXY": "http://user:secret@proxy.example:3128",
        "NO_PROXY": "localhost",
    }
    assert given.left_out == ("http_proxy",)


@pytest.mark.parametrize(
    "index",
    [
        "https://user:secret@index.example/simple",
        "https://token@index.example/simple",
        "file:///opt/index",
        "/opt/index",
        "http://localhost:8081/simple",
        "https://index.example/simple https://me:secret@other.example/simple",
        "corp=https://me:secret@index.example/simple",
    ],
)
def test_an_index_with_a_credential_or_out_of_reach_is_named_and_left_out(tmp_path: Path, index: str) -> None:
    given = passed(tmp_path, UV_INDEX=index)
    assert given.values == {}
    assert given.left_out == ("UV_INDEX",)


def test_a_public_index_is_passed_in_uvs_words(tmp_path: Path) -> None:
    given = passed(
        tmp_path, PIP_INDEX_URL="https://index.example/simple", PIP_EXTRA_INDEX_URL="https://more.example/x"
    )
    assert dict(given.indexes) == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://more.example/x",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_an_app_is_given_what_concerns_its_languages(tmp_path: Path) -> None:
    given = passed(
        tmp_path,
        UV_DEFAULT_INDEX="https://index.example/simple",
        npm_config_registry="https://user:x@npm.example",
        HTTP_PROXY="http://proxy.example",
    )
    python = given.for_languages(python=True, node=False)
    assert set(python.values) == {"UV_DEFAULT_INDEX", "HTTP_PROXY"}
    assert python.left_out == ()
    node = given.for_languages(python=False, node=True)
    assert set(node.values) == {"HTTP_PROXY"}
    assert node.left_out == ("npm_config_registry",)
