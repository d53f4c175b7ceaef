"""nginx as it is usually switched: its upstream is rewritten, and its configuration reloaded."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.eventually import eventually

_CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log /dev/null;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream app {{ server {upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


@dataclass
class Nginx:
    """A running nginx with one upstream."""

    port: int
    folder: Path

    def switch(self, upstream: str) -> None:
        """Send requests to `upstream` from now on: the reload is asked for, and goes on by itself."""
        self.write(upstream)
        os.kill(int((self.folder / "nginx.pid").read_text()), signal.SIGHUP)

    def write(self, upstream: str) -> None:
        text = _CONFIG.format(folder=self.folder, upstream=upstream, port=self.port)
        (self.folder / "nginx.conf").write_text(text)


@contextmanager
def an_nginx(folder: Path, *, port: int, upstream: str) -> Iterator[Nginx]:
    """Run nginx for as long as the context lasts."""
    nginx = Nginx(port, folder)
    nginx.write(upstream)
    argv = ["nginx", "-e", "/dev/null", "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _answers(port))
            yield nginx
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
