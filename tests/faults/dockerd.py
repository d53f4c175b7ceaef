"""A Docker daemon of a test's own, to be killed and started again. The machine's shared one is never touched."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.dockerd import PYTHON
from tests.eventually import eventually
from tests.needs import needs

needs_own_dockerd = needs("root and dockerd", lambda: os.geteuid() == 0 and shutil.which("dockerd"))


class OwnDockerd:
    """A second dockerd on this machine with folders, a socket and a bridge range of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # A bridge of its own name: with `--bridge none` a daemon removes the one that the shared daemon uses.
        self._bridge = f"mini{os.getpid()}"
        self.socket = folder / "docker.sock"
        self.live_restores = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What names this daemon to Docker's clients."""
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    def start(self, *, live_restore: bool = False) -> None:
        """Start it and wait until it answers. With `live_restore`, what it runs goes on whenever it ends."""
        folder = self._folder
        self.live_restores = live_restore
        self._make_bridge()
        # A killed daemon's containerd may be a zombie that nobody reaps, and would be taken for a living one.
        for left in ("pid", "exec/containerd/containerd.pid"):
            (folder / left).unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    *("--data-root", folder / "data", "--exec-root", folder / "exec", "-p", folder / "pid"),
                    *("-H", f"unix://{self.socket}", "--bridge", self._bridge, "--iptables=false"),
                    f"--live-restore={str(live_restore).lower()}",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        eventually(lambda: self.docker("version", check=False).returncode == 0, within=60)

    def kill(self) -> None:
        """`kill -9`; what it runs goes on for now."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order, with all it runs where it was started without `live_restore`."""
        self._end(signal.SIGTERM)

    def hang(self) -> None:
        """Have it answer nothing, though connections to it are still taken."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again, what was asked meanwhile too."""
        self._signal(signal.SIGCONT)

    def load(self) -> str:
        """Give it the image of Python; return the image's id."""
        with subprocess.Popen(["docker", "save", PYTHON], stdout=subprocess.PIPE) as saved:
            environ = {**os.environ, **self.environ}
            subprocess.run(["docker", "load", "-q"], stdin=saved.stdout, env=environ, check=True)
        return self.docker("image", "inspect", "-f", "{{.Id}}", PYTHON).stdout.strip()

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the docker command against it."""
        return subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            check=check,
        )

    def close(self) -> None:
        """End it and remove what it had, also what a test that failed has left running."""
        if self._process is None:
            self.start()
        self.go_on()
        if left := self.docker("ps", "-aq", check=False).stdout.split():
            self.docker("rm", "-f", *left, check=False)
        self.stop()
        subprocess.run(["umount", self._folder / "data"], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self._bridge], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_bridge(self) -> None:
        if Path(f"/sys/class/net/{self._bridge}").exists():
            return
        subprocess.run(["ip", "link", "add", self._bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", "172.30.255.1/24", "dev", self._bridge], check=True)
        subprocess.run(["ip", "link", "set", self._bridge, "up"], check=True)

    def _signal(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None
