"""A web app in one file that knows nothing of PORT: it listens on the port that its Dockerfile EXPOSEs."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        who = os.environ.get("PS", "?")
        body = f"Hello from a Dockerfile: {who}, release {os.environ.get('MINI_RELEASE', '?')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("0.0.0.0", 5000), Hello)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("listening on 5000", flush=True)
server.serve_forever()
