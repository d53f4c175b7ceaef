"""The backing service, attached by URL: DATABASE_URL=sqlite:////path/to/file. Swap it with one `mini config set`."""

import os
import sqlite3
from contextlib import contextmanager

SCHEME = "sqlite:///"


@contextmanager
def connect():
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith(SCHEME):
        raise SystemExit("Set DATABASE_URL first: mini config set DATABASE_URL=sqlite:////path/to/jobs.db")
    connection = sqlite3.connect(url.removeprefix(SCHEME), timeout=30)
    try:
        with connection:
            yield connection
    finally:
        connection.close()
