"""A web app in one file: it says hello, and where it runs."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    greeting = os.environ.get("GREETING", "Hello")
    return f"{greeting} from {os.environ.get('PS', '?')}, release {os.environ.get('MINI_RELEASE', '?')}\n"
