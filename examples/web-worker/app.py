"""The web process: takes jobs over HTTP and shows what became of them. Jobs live in the backing database."""

import os

from flask import Flask, jsonify, request

import database

app = Flask(__name__)


@app.get("/")
def overview():
    rows = database.execute("SELECT id, text, result FROM jobs ORDER BY id")
    jobs = [{"id": number, "text": text, "result": result} for number, text, result in rows]
    return jsonify(release=os.environ["MINI_RELEASE"], jobs=jobs)


@app.post("/jobs")
def add():
    [[number]] = database.execute("INSERT INTO jobs (text) VALUES (?) RETURNING id", request.get_data(as_text=True))
    print(f"took job {number}", flush=True)
    return jsonify(id=number), 202
