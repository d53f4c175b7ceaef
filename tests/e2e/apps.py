"""Apps for the scenarios, written with nothing but the standard library so that their builds take no time."""

WEB = """
import http.server, os, signal, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{MARK} {os.environ['PS']} {os.environ.get('MINI_RELEASE')} {os.environ.get('MINI_INSTANCE_ID')}".encode()
        if self.path.startswith("/env/"):
            body = os.environ.get(self.path[5:], "<unset>").encode()
        if self.path.startswith("/exit/"):
            os._exit(int(self.path[6:]))
        if self.path.startswith("/print/"):
            print(self.path[7:], flush=True)
        if self.path.startswith("/write/"):
            open(self.path[7:], "x").close()
        if self.path == "/files":
            body = " ".join(sorted(os.listdir())).encode()
        if self.path.startswith("/slow/"):
            threading.Event().wait(float(self.path[6:]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

MARK = "one"
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("listening", flush=True)
server.serve_forever()
"""

WORKER = """
import os, signal, sys, threading
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
print("worker up", flush=True)
stopped.wait()
print("worker done", flush=True)
"""

BACKED = WEB.replace("import http.server", "import urllib.request, http.server").replace(
    'body = f"{MARK}',
    'body = urllib.request.urlopen(os.environ["STORE_URL"]).read() if self.path == "/row" else f"{MARK}',
)
"""The same, which answers `/row` from a backing service."""

GATE = """
import sys, threading, urllib.error, urllib.request

def wait(url):
    while True:
        try:
            return urllib.request.urlopen(url).close()
        except urllib.error.HTTPError:
            threading.Event().wait(0.02)

if __name__ == "__main__":
    wait(sys.argv[1])
"""
"""`gate.py`: waits until there is something at a URL of the backing service."""

GATED = f"""
import os, gate
if os.environ["PS"] == "web.2" and "GATE" in os.environ:
    gate.wait(os.environ["GATE"])
{WEB}"""
"""The same, whose second instance does not listen before its gate opens."""

FAMILY = """
import signal, subprocess, sys
child = "import signal, time; signal.signal(15, lambda *_: (print('child got TERM', flush=True), exit())); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child, sys.argv[1]])
signal.pause()
"""
"""Two processes that have the argument of the first on their command lines."""


def web(mark: str = "one", **files: str) -> dict[str, str]:
    """An app with a web process that answers with its mark, its name, its release and its instance's id."""
    return {
        "Procfile": "web: python3 web.py\n",
        "web.py": WEB.replace('MARK = "one"', f'MARK = "{mark}"'),
        **files,
    }


def web_and_worker(mark: str = "one", *, release: str | None = None) -> dict[str, str]:
    """The same with a worker, and a release command where one is given."""
    phase = f"release: {release}\n" if release else ""
    return web(
        mark, Procfile=f"web: python3 web.py\nworker: python3 worker.py\n{phase}", **{"worker.py": WORKER}
    )
