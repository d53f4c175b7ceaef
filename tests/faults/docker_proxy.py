"""A socket in front of Docker's own that a test can silence, cut and open again, as a daemon that hangs or goes."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

from tests.dockerd import ADDRESS

DOCKER = ADDRESS.removeprefix("unix://")


class DockerProxy:
    """Forwards every connection, until told otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._aside = path.with_name(f"{path.name}.aside")
        self._flows = threading.Event()
        self._flows.set()
        self._last = b""
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        """What names this daemon to Docker's clients."""
        return {"DOCKER_HOST": f"unix://{self.path}"}

    def hang(self) -> None:
        """Answer nothing from now on; connections are still taken."""
        self._flows.clear()

    def hang_after(self, words: bytes) -> None:
        """Pass on the next that has these words, and be silent from then on."""
        self._last = words

    def vanish(self) -> None:
        """Break all connections and take no more, as where no daemon runs."""
        self.path.rename(self._aside)
        self.cut()

    def go_on(self) -> None:
        """Answer again, what was asked meanwhile too."""
        if self._aside.exists():
            self._aside.rename(self.path)
        self._flows.set()

    def cut(self) -> None:
        """Break all connections there are."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._listener.close()
        self.go_on()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(DOCKER)
            self._open += [client, daemon]
            threading.Thread(target=self._join, args=(client, daemon), daemon=True).start()

    def _join(self, client: socket.socket, daemon: socket.socket) -> None:
        with client, daemon:
            back = threading.Thread(target=self._forward, args=(daemon, client), daemon=True)
            back.start()
            self._forward(client, daemon)
            back.join()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                self._flows.wait()
                if self._last and self._last in block:
                    self._last = b""
                    self.hang()
                target.sendall(block)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
