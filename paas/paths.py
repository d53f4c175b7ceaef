"""The state directory of a server: where it is, and where each thing lies in it. Nothing else names these paths.

Every command reads this, and most need nothing more of the settings.
"""

import os
from collections.abc import Mapping
from pathlib import Path

SOCKET_PATH_MAX = 107
"""Longest path of a unix socket, `sizeof(sockaddr_un.sun_path) - 1` (unix(7))."""


class Paths:
    """Where each thing lies below one home, which is 0700."""

    __slots__ = ("home",)

    def __init__(self, home: Path) -> None:
        self.home = home

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
    def image_files(self) -> Path:
        return self.cache / "image-files"

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
    from hashlib import sha256  # every command asks for paths, and hardly one needs this

    base = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/mini-{os.getuid()}")  # noqa: S108 - 0700, owner checked
    return base / f"mini-{sha256(os.fsencode(home)).hexdigest()[:16]}"
