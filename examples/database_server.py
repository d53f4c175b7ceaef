"""A database server for the examples: SQL over HTTP around one SQLite file. In earnest this is PostgreSQL or Redis.

    python3 database_server.py 127.0.0.1:5433 jobs.db
"""

import json
import sqlite3
import sys
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

host, _, port = sys.argv[1].rpartition(":")


class Statement(BaseHTTPRequestHandler):
    """Takes [SQL, ARGUMENT, ...] as JSON and answers with the rows."""

    def do_POST(self):
        sql, *arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            with closing(sqlite3.connect(sys.argv[2], timeout=30)) as connection, connection:
                status, answer = 200, connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            status, answer = 400, str(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((host, int(port)), Statement)
print(f"http://{host}:{server.server_port}", flush=True)
server.serve_forever()
