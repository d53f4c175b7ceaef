"""The worker process: takes one job at a time and upper-cases it. TERM ends it between two jobs."""

import os
import signal
import threading

import database

stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())

TAKE = "UPDATE jobs SET result = upper(text) WHERE id = (SELECT min(id) FROM jobs WHERE result IS NULL) RETURNING id"

print(f"{os.environ['PS']} waits for jobs", flush=True)
while not stopped.is_set():
    finished = database.execute(TAKE)
    for [number] in finished:
        print(f"finished job {number}", flush=True)
    if not finished:
        stopped.wait(0.2)
print("no job left half done", flush=True)
