"""What an operator may choose for one server, read once from options and `MINI_*`; never read again later."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paas.errors import InvalidError
from paas.paths import Paths, home_from

ADDRESSES = ("MINI_LISTEN", "MINI_HTTP", "MINI_HTTPS")
"""Settings that a home remembers: a start that is told none takes those that the last one was told."""

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")


class EngineChoice(StrEnum):
    """What `--engine` takes. `auto` chooses at a home's first start, once and for good."""

    AUTO = "auto"
    PROCESS = "process"
    DOCKER = "docker"
    SWARM = "swarm"


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address to listen on; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, name: str) -> "Address":
        """Return the address written as `HOST:PORT` (`[::1]:80` for IPv6); raises InvalidError naming `name`."""
        host, separator, port = text.rpartition(":")
        if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise InvalidError(f"{name} must be HOST:PORT, such as 127.0.0.1:8080; got {text!r}.")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BaseImages:
    """The images that generated Dockerfiles begin with; `{version}` becomes the version that an app asks for.

    Each has a shell and useradd, as Debian's do; that of a language has the language too.
    """

    python: str = "python:{version}-slim"
    node: str = "node:{version}-slim"
    plain: str = "debian:bookworm-slim"


DEFAULT_HTTPS = Address("127.0.0.1", 8443)


@dataclass(frozen=True, slots=True)
class Settings(Paths):
    """The settings of one server, and the paths below its home."""

    home: Path
    engine: EngineChoice = EngineChoice.AUTO
    listen: Address = Address("127.0.0.1", 8600)
    http: Address = Address("127.0.0.1", 8080)
    https: Address | None = DEFAULT_HTTPS
    """None turns HTTPS off. The default address is a wish: where it is taken, the server starts without HTTPS."""
    routers: int = 1
    """How many router processes share the listening sockets: each uses one core."""
    max_instances_per_type: int = 100
    boot_limit: float = 60.0
    stop_grace: float = 30.0
    drain_limit: float = 30.0
    build_limit: float = 900.0
    keep_artifacts: int = 10
    build_cache: int = 10 * 1024
    """What Docker may keep for later builds, in MiB; 0 leaves that to Docker."""
    log_budget: int = 50 * 1024 * 1024
    allow_python_downloads: bool = False
    instance_memory: int = 0
    """What one container may take, in MiB; 0 is no limit. Local processes have none."""
    base_images: BaseImages = BaseImages()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings that `MINI_*` asks for; raises InvalidError for a value that cannot be read."""
        engine = environ.get("MINI_ENGINE") or EngineChoice.AUTO.value
        if engine not in set(EngineChoice):
            raise InvalidError(f"MINI_ENGINE must be one of {', '.join(EngineChoice)}; got {engine!r}.")
        return cls(
            home=home_from(environ),
            engine=EngineChoice(engine),
            listen=Address.parse(environ.get("MINI_LISTEN") or "127.0.0.1:8600", name="MINI_LISTEN"),
            http=Address.parse(environ.get("MINI_HTTP") or "127.0.0.1:8080", name="MINI_HTTP"),
            https=_https(environ.get("MINI_HTTPS") or str(DEFAULT_HTTPS)),
            routers=_number(environ, "MINI_ROUTERS", 1, least=1, most=64),
            max_instances_per_type=_number(environ, "MINI_MAX_INSTANCES", 100),
            boot_limit=_number(environ, "MINI_BOOT_LIMIT", 60),
            stop_grace=_number(environ, "MINI_STOP_GRACE", 30),
            drain_limit=_number(environ, "MINI_DRAIN_LIMIT", 30),
            build_limit=_number(environ, "MINI_BUILD_LIMIT", 900),
            keep_artifacts=_number(environ, "MINI_KEEP_ARTIFACTS", 10),
            build_cache=_number(environ, "MINI_BUILD_CACHE", 10 * 1024),
            log_budget=_number(environ, "MINI_LOG_BUDGET", 50 * 1024 * 1024),
            allow_python_downloads=environ.get("MINI_PYTHON_DOWNLOADS", "") in ("1", "true", "yes"),
            instance_memory=_number(environ, "MINI_INSTANCE_MEMORY", 0),
            base_images=_base_images(environ),
        )


def _base_images(environ: Mapping[str, str]) -> BaseImages:
    default = BaseImages()
    return BaseImages(
        python=_image(environ, "MINI_BASE_PYTHON", default.python),
        node=_image(environ, "MINI_BASE_NODE", default.node),
        plain=_image(environ, "MINI_BASE_PLAIN", default.plain),
    )


def _image(environ: Mapping[str, str], name: str, default: str) -> str:
    image = environ.get(name) or default
    if not _IMAGE.fullmatch(image.replace("{version}", "1")):
        raise InvalidError(
            f"{name} must name an image, such as {default}; got {image!r}. {{version}} is the only placeholder."
        )
    return image


def _https(text: str) -> Address | None:
    return None if text == "off" else Address.parse(text, name="MINI_HTTPS")


def _number(
    environ: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int | None = None
) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise InvalidError(f"{name} must be a whole number; got {text!r}.")
    if int(text) < least or (most is not None and int(text) > most):
        raise InvalidError(f"{name} must be from {least} to {most}; got {text}.")
    return int(text)
