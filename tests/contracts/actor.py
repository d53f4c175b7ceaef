"""An app that acts out a behaviour, given as JSON in its argument. It needs nothing but Python."""

import json
import os
import signal
import socket
import sys
import threading

PART = json.loads(sys.argv[1])
HOST = os.environ["HOST"]


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def act() -> None:
    if PART["on_term"] == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if PART["on_term"] == "exit":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for line in PART["prints"]:
        print(line, flush=True)
    if PART["echoes"]:
        for text in iter(sys.stdin.readline, ""):
            print(text, end="", flush=True)
        sys.exit(PART["exits"] or 0)
    if PART["exits"] is not None:
        wait(PART["exits_after"])
        sys.exit(PART["exits"])
    if PART["listens"]:
        wait(PART["listens_after"])
        listener = socket.create_server((HOST, int(os.environ["PORT"]) + PART["port_shift"]))
        print("listening", listener.getsockname()[1], flush=True)
    while True:
        signal.pause()


act()
