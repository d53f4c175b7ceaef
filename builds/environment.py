"""The environment that builds run in: an allow-list. Config variables are never in it, nor is anything else of the
server's but how to reach the package indexes that its user has chosen."""

import configparser
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from paas.settings import Settings

_PASSED = re.compile(
    r"PATH|PYENV_ROOT|XDG_CONFIG_HOME|(?i:(http|https|all|no)_proxy)"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|PIP_CERT|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO"
)
_INDEX = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|OFFLINE"
    r"|CONFIG_FILE|HTTP_TIMEOUT|INDEX_STRATEGY|KEYRING_PROVIDER|INDEX_\w+_(USERNAME|PASSWORD))"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|TRUSTED_HOST|CONFIG_FILE)"
    r"|(?i:npm_config_(registry|userconfig|globalconfig|cafile|strict_ssl))"
)
_PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
}


def build_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every command of a build, given the server's own."""
    home = Path(environ.get("HOME") or Path.home())
    passed = {
        name: value for name, value in environ.items() if _PASSED.fullmatch(name) or _INDEX.fullmatch(name)
    }
    own = {
        "HOME": str(settings.cache / "home"),
        "LANG": "C.UTF-8",
        "CI": "1",
        "NO_COLOR": "1",
        "UV_CACHE_DIR": str(settings.cache / "uv"),
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "automatic" if settings.allow_python_downloads else "never",
        "UV_PYTHON_INSTALL_DIR": str(settings.cache / "python"),
        "NPM_CONFIG_CACHE": str(settings.cache / "npm"),
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    }
    # uv trusts a list of its own otherwise, and an index behind a company's proxy is signed by the machine's.
    found = {"XDG_CONFIG_HOME": str(home / ".config"), "UV_SYSTEM_CERTS": "1"}
    if (home / ".npmrc").exists():
        found["NPM_CONFIG_USERCONFIG"] = str(home / ".npmrc")
    return {**found, **_pip_indexes(environ, home), **passed, **own}


def _pip_indexes(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return pip's choice of indexes in uv's words: uv reads no pip.conf. What was chosen for uv itself wins."""
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if environ.keys() & {*_PIP_TO_UV.values(), "UV_INDEX_URL"} or (config / "uv" / "uv.toml").exists():
        return {}
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    if named := environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    options = _pip_options(files)
    options |= {
        name: environ[variable]
        for name in _PIP_TO_UV
        if (variable := "PIP_" + name.upper().replace("-", "_")) in environ
    }
    chosen = {_PIP_TO_UV[name]: _list_of(name, value) for name, value in options.items()}
    # pip takes the best version of all its indexes, uv that of the first index that knows the name.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match"} | chosen if "UV_INDEX" in chosen else chosen


def _pip_options(files: Iterable[Path]) -> dict[str, str]:
    options: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                options |= {name: value for name, value in parser.items(section) if name in _PIP_TO_UV}
    return options


def _list_of(name: str, value: str) -> str:
    # pip separates entries by white space; uv separates links by commas and indexes by white space.
    return ("," if name == "find-links" else " ").join(value.split())
