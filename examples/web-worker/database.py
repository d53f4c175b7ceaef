"""The backing service, attached by URL: DATABASE_URL=http://HOST:PORT. Swap it with one `mini config set`."""

import json
import os
import urllib.request


def execute(sql, *arguments):
    """Run one statement and return its rows."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("Set DATABASE_URL first: mini config set DATABASE_URL=http://HOST:PORT")
    body = json.dumps([sql, *arguments]).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
        return json.load(answer)
