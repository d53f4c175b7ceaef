"""Apps with a Dockerfile as people write them, which mini and Docker's own tools build alike."""

import json
from dataclasses import dataclass

from tests.dockerd import NODE, PYTHON
from tests.e2e.starters import EXPRESS, FASTAPI, FLASK

_CLOSES_AT_ONCE = """
import http.server, os, signal, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        body = f"MARK {os.environ.get('PS')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

server = Server(("0.0.0.0", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
"""

_PYTHON = """FROM {base}
RUN python3 -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
CMD {command}
"""
_NODE = """FROM {base}
WORKDIR /app
COPY package.json .
RUN npm install --no-audit --no-fund
COPY . .
CMD {command}
"""


@dataclass(frozen=True, slots=True)
class App:
    """One app. `source` is its file that changes, and what of it stands for what it answers."""

    name: str
    source: str
    text: str
    answer: str
    others: dict[str, str]

    def files(self, mark: str) -> dict[str, str]:
        """Return all its files, where it answers with `mark`."""
        return {self.source: self.text.replace(self.answer, mark), **self.others}


def _python(command: str, *requirements: str) -> dict[str, str]:
    return {
        "Dockerfile": _PYTHON.format(base=PYTHON, command=command),
        "requirements.txt": "\n".join((*requirements, "")),
    }


def _node(command: str, **dependencies: str) -> dict[str, str]:
    return {
        "Dockerfile": _NODE.format(base=NODE, command=command),
        "package.json": json.dumps({"name": "app", "private": True, "dependencies": dependencies}),
        ".dockerignore": "node_modules\n",
    }


STARTERS = (
    App(
        "flask",
        source="hello.py",
        text=FLASK,
        answer="Hello, World!",
        others=_python("flask --app hello run --host 0.0.0.0 --port $PORT", "flask"),
    ),
    App(
        "flask-gunicorn",
        source="hello.py",
        text=FLASK,
        answer="Hello, World!",
        others=_python("gunicorn --bind 0.0.0.0:$PORT hello:app", "flask", "gunicorn"),
    ),
    App(
        "fastapi",
        source="main.py",
        text=FASTAPI,
        answer="World",
        others=_python("uvicorn main:app --host 0.0.0.0 --port $PORT", "fastapi", "uvicorn"),
    ),
    App(
        "express",
        source="app.js",
        text=EXPRESS,
        answer="Hello World!",
        others=_node("node app.js", express="^5"),
    ),
)
"""The first examples of their frameworks, with the command in the form that knows $PORT."""

CLOSES_AT_ONCE = App(
    "closes-at-once",
    source="web.py",
    text=_CLOSES_AT_ONCE,
    answer="MARK",
    others={"Dockerfile": f'FROM {PYTHON}\nCOPY web.py /web.py\nCMD ["python3", "/web.py"]\n'},
)
"""One that gets SIGTERM itself, listens within 50 ms, and ends at once: hardly anything of what is measured is its own."""
