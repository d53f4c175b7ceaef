"""An app that does what connections and logs can be lost by: it keeps connections alive, echoes bodies and WebSocket
messages, streams events, and prints numbered lines without a pause."""

TALKER = r"""
import base64, hashlib, http.server, os, signal, threading, time

ME = f"{os.environ['PS']} {os.environ['MINI_RELEASE']} {os.environ['MINI_INSTANCE_ID']}"
ID = os.environ["MINI_INSTANCE_ID"]
stopping = threading.Event()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.talk()
        if self.path == "/events":
            return self.stream()
        if self.path.startswith("/exit/"):
            os._exit(int(self.path[6:]))
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path[6:]))
        self.answer(ME.encode())

    def do_POST(self):
        self.answer(ME.encode() + b"\n" + self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        number = 0
        while True:
            number += 1
            self.wfile.write(f"id: {number}\ndata: {ME}\n\n".encode())
            time.sleep(0.02)

    def talk(self):
        self.close_connection = True
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while len(head := self.rfile.read(2)) == 2:
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
            kind = {8: 0x88, 9: 0x8A}.get(head[0] & 15, 0x81)
            self.wfile.write(bytes([kind, len(text)]) + text)
            if kind == 0x88:
                return

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    def handle_error(self, *_):
        pass

def count():
    number = 0
    while not stopping.is_set():
        number += 1
        print(f"line {ID} {number}", flush=True)
        time.sleep(0.002)
    print(f"last {ID} {number}", flush=True)

server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
def end(*_):
    stopping.set()
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, end)
counting = threading.Thread(target=count)
counting.start()
server.serve_forever(poll_interval=0.05)
counting.join()
"""


def files(**more: str) -> dict[str, str]:
    """The app's files, and more of them."""
    return {"Procfile": "web: exec python3 talker.py\n", "talker.py": TALKER, **more}
