"""What an operator may choose for one server, read once from options and `MINI_*`; never read again later."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paas.errors import InvalidError

SOCKET_PATH_MAX = 107
"""Longest path of a unix socket, `sizeof(sockaddr_un.sun_path) - 1` (unix(7))."""

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
class Settings:
    """The settings of one server. Paths below `home` are named here and nowhere else."""

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
            log_budget=_number(environ, "MINI_LOG_BUDGET", 50 * 1024 * 1024),
            allow_python_downloads=environ.get("MINI_PYTHON_DOWNLOADS", "") in ("1", "true", "yes"),
            instance_memory=_number(environ, "MINI_INSTANCE_MEMORY", 0),
            base_images=_base_images(environ),
        )

    # -- the state directory, 0700 --------------------------------------------------------------------------
    @property
    def database(self) -> Path:
        return self.home / "mini.db"

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    @property
    def lock_file(self) -> Path:
        return self.home / "lock"

    @property
    def key_file(self) -> Path:
        """The key that wraps every data key: 0600, and no part of the database."""
        return self.home / "keys" / "master"

    @property
    def token_file(self) -> Path:
        """The admin token for the API on TCP, 0600, random at the first start."""
        return self.home / "keys" / "admin-token"

    @property
    def certificates(self) -> Path:
        """The local authority, and a file with certificate and private key for each domain that has one: all 0600."""
        return self.home / "keys" / "tls"

    def certificate(self, id: str) -> Path:
        """The file of one certificate, with its private key."""
        return self.certificates / f"{id}.pem"

    @property
    def authority(self) -> Path:
        """The local authority's own certificate, with its private key."""
        return self.certificates / "authority.pem"

    @property
    def ballast(self) -> Path:
        return self.home / "ballast"

    @property
    def repositories(self) -> Path:
        return self.home / "repositories"

    @property
    def slugs(self) -> Path:
        return self.home / "slugs"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    @property
    def outputs(self) -> Path:
        """Outputs of builds and deployments: `builds/ID.log`, `deployments/ID.ndjson`."""
        return self.home / "outputs"

    @property
    def scratch(self) -> Path:
        """Working directories of instances, one folder each, gone with them."""
        return self.home / "instances"

    @property
    def logs(self) -> Path:
        """Log segments, one folder per app id."""
        return self.home / "logs"

    @property
    def server_logs(self) -> Path:
        """What the planes themselves print: `control.log`, `router.log`, `logs.log`."""
        return self.home / "server"

    @property
    def runtime(self) -> Path:
        """FIFOs, locks and small state of what runs now."""
        return self.home / "run"

    @property
    def routing_table(self) -> Path:
        return self.runtime / "routes.json"

    # -- sockets --------------------------------------------------------------------------------------------
    @property
    def control_socket(self) -> Path:
        return self._socket("control.sock")

    @property
    def log_socket(self) -> Path:
        return self._socket("logs.sock")

    def router_socket(self, index: int) -> Path:
        return self._socket(f"router-{index}.sock")

    def _socket(self, name: str) -> Path:
        path = self.runtime / name
        return path if len(os.fsencode(path)) <= SOCKET_PATH_MAX else _short_runtime(self.home) / name


def home_from(environ: Mapping[str, str]) -> Path:
    """Return the state directory that `environ` names: MINI_HOME, else `mini` in the user's data directory."""
    if chosen := environ.get("MINI_HOME"):
        return Path(chosen).expanduser().absolute()
    data = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or Path.home()) / ".local" / "share"
    return Path(data).absolute() / "mini"


def _short_runtime(home: Path) -> Path:
    from hashlib import sha256  # every command reads settings, and hardly one needs this

    base = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/mini-{os.getuid()}")  # noqa: S108 - 0700, owner checked
    return base / f"mini-{sha256(os.fsencode(home)).hexdigest()[:16]}"


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
