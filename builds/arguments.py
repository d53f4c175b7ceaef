"""The build arguments of an image: how a container reaches the registries, by an allow-list of the server's own
environment. What would name a file of this machine, or leave a credential in an image, is left out and named."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from builds.environment import build_environment
from paas.settings import Settings

_PROXY = re.compile(r"(?i:(http|https|ftp|all|no)_proxy)")
_PYTHON = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_STRATEGY = "UV_INDEX_STRATEGY"
_NODE = re.compile(r"(?i:npm_config_registry)")
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1|0\.0\.0\.0")


@dataclass(frozen=True, slots=True)
class Arguments:
    """`proxies` are predefined in every Dockerfile and Docker keeps them out of the image's history; `indexes` are
    addresses without credentials, which a generated Dockerfile declares; `left_out` names what was not passed."""

    proxies: Mapping[str, str]
    indexes: Mapping[str, str]
    left_out: tuple[str, ...]

    def for_languages(self, *, python: bool, node: bool) -> "Arguments":
        """Return those that concern apps in these languages; proxies concern all."""

        def concerns(name: str) -> bool:
            return python if name.startswith("UV_") else node if _NODE.fullmatch(name) else True

        indexes = {name: value for name, value in self.indexes.items() if concerns(name)}
        return Arguments(self.proxies, indexes, tuple(filter(concerns, self.left_out)))

    @property
    def values(self) -> dict[str, str]:
        """All that are passed."""
        return {**self.proxies, **self.indexes}


def build_arguments(settings: Settings, environ: Mapping[str, str]) -> Arguments:
    """Return the arguments that a server with this environment gives to its image builds."""
    chosen = build_environment(settings, environ)
    proxies = {name: value for name, value in environ.items() if _PROXY.fullmatch(name) and value}
    indexes = {name: value for name, value in chosen.items() if name in _PYTHON or _NODE.fullmatch(name)}
    passed = {name: value for name, value in indexes.items() if all(map(_is_public, value.split()))}
    if passed.keys() & {"UV_INDEX", "UV_EXTRA_INDEX_URL"} and _STRATEGY in chosen:
        passed[_STRATEGY] = chosen[_STRATEGY]
    reachable = {name: value for name, value in proxies.items() if _is_no_list(name) or _is_reachable(value)}
    left_out = sorted((indexes.keys() - passed.keys()) | (proxies.keys() - reachable.keys()))
    return Arguments(reachable, passed, tuple(left_out))


def _is_public(index: str) -> bool:
    """Return whether an index may stand in an image: an address of the web with no one's name in it."""
    # uv lets an index have a name: NAME=URL.
    address = urlsplit(re.sub(r"^[\w.-]+=", "", index))
    return address.scheme in ("http", "https") and "@" not in address.netloc and _is_reachable(index)


def _is_reachable(address: str) -> bool:
    parts = urlsplit(address if "://" in address else f"//{address}")
    return not _LOOPBACK.fullmatch(parts.hostname or "")


def _is_no_list(name: str) -> bool:
    return name.lower() == "no_proxy"
