from pathlib import Path

import pytest

from builds.environment import build_environment
from paas.settings import Settings


def test_nothing_but_what_is_listed_reaches_a_build(tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "HOME": str(tmp_path),
        "SECRET_KEY": "x",
        "DATABASE_URL": "x",
        "MINI_HOME": "x",
        "VIRTUAL_ENV": "x",
        "PYTHONPATH": "x",
        "https_proxy": "http://proxy",
        "SSL_CERT_FILE": "/ca",
        "UV_DEFAULT_INDEX": "http://index",
        "UV_INDEX_PRIVATE_PASSWORD": "p",
        "NPM_CONFIG_registry": "http://npm",
    }
    built = build_environment(Settings(home=tmp_path / "mini"), environ)
    assert not built.keys() & {"SECRET_KEY", "DATABASE_URL", "MINI_HOME", "VIRTUAL_ENV", "PYTHONPATH"}
    assert built["HOME"] == str(tmp_path / "mini" / "cache" / "home")
    for name in ("PATH", "https_proxy", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "NPM_CONFIG_registry"):
        assert built[name] == environ[name]
    assert built["UV_INDEX_PRIVATE_PASSWORD"] == "p"
    assert built["UV_PYTHON_DOWNLOADS"] == "never"


def test_interpreters_are_downloaded_only_where_the_settings_allow_it(tmp_path: Path) -> None:
    built = build_environment(Settings(home=tmp_path, allow_python_downloads=True), {"HOME": str(tmp_path)})
    assert built["UV_PYTHON_DOWNLOADS"] == "automatic"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nindex-url = http://mirror/simple\nfind-links =\n  /a\n  /b\n[install]\ntrusted-host = mirror\n"
    )
    (tmp_path / ".npmrc").write_text("")
    return tmp_path


def test_the_users_pip_conf_is_said_in_uvs_words(home: Path) -> None:
    built = build_environment(
        Settings(home=home / "mini"), {"HOME": str(home), "PIP_EXTRA_INDEX_URL": "http://x"}
    )
    assert built["UV_DEFAULT_INDEX"] == "http://mirror/simple"
    assert built["UV_FIND_LINKS"] == "/a,/b"
    assert built["UV_INSECURE_HOST"] == "mirror"
    assert built["UV_INDEX"] == "http://x"
    assert built["NPM_CONFIG_USERCONFIG"] == str(home / ".npmrc")


def test_what_was_chosen_for_uv_itself_wins(home: Path) -> None:
    built = build_environment(Settings(home=home / "mini"), {"HOME": str(home), "UV_INDEX_URL": "http://own"})
    assert "UV_DEFAULT_INDEX" not in built
    (home / ".config" / "uv").mkdir()
    (home / ".config" / "uv" / "uv.toml").write_text("")
    assert "UV_DEFAULT_INDEX" not in build_environment(Settings(home=home / "mini"), {"HOME": str(home)})
