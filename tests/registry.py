"""A registry of images on this machine, as small as one can be: what it is given it serves, to whom it knows."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
USER, PASSWORD = "me", "registry-password"


class Registry:
    """Serves images of one file each, on 127.0.0.1, where Docker takes a registry without TLS."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._blobs: dict[str, tuple[str, bytes]] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def add(self, name: str, file: str, content: str) -> str:
        """Serve an image with this one file, and return the reference that Docker knows it by."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            member = tarfile.TarInfo(file)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
        unpacked = layer.getvalue()
        packed = gzip.compress(unpacked)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [_digest(unpacked)]},
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(_CONFIG, config),
            "layers": [self._blob(_LAYER, packed)],
        }
        said = self._blob(MANIFEST, json.dumps(manifest).encode())
        self._blobs[f"{name}:1"] = self._blobs[str(said["digest"])]
        return f"{self.address}/{name}:1"

    def credentials(self, folder: Path) -> None:
        """Write what `docker login` would have into Docker's configuration."""
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.address: {"auth": known}}}))

    def _blob(self, kind: str, content: bytes) -> dict[str, str | int]:
        digest = _digest(content)
        self._blobs[digest] = (kind, content)
        return {"mediaType": kind, "size": len(content), "digest": digest}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = self.headers.get("Authorization", "").removeprefix("Basic ")
                if base64.b64decode(given) != f"{USER}:{PASSWORD}".encode():
                    self._say(401, "application/json", b"{}")
                    return
                registry.asked.append(self.path)
                name, _, wanted = self.path.removeprefix("/v2/").rpartition("/")
                found = registry._blobs.get(wanted) or registry._blobs.get(
                    f"{name.rpartition('/')[0]}:{wanted}"
                )
                if self.path == "/v2/":
                    self._say(200, "application/json", b"{}")
                elif found is None:
                    self._say(404, "application/json", b"{}")
                else:
                    self._say(200, *found)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None: ...

            def _say(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Docker-Content-Digest", _digest(content))
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

        return Handler


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
