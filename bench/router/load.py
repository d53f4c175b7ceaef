"""One measurement: wrk against a port, and what it cost the processes under it. It judges nothing."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.router.contenders import HOST

_TICK = os.sysconf("SC_CLK_TCK")
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk is to do."""

    connections: int = 64
    path: str = "/"
    script: str = ""
    lines: Sequence[str] = ()
    seconds: int = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of it. `foreign` is the share of the machine that others had meanwhile."""

    cost: float
    """µs of CPU per request, in all processes of the contender."""
    rate: float
    """Requests per second."""
    p99: float
    """Milliseconds."""
    foreign: float


def measure(load: Load, *, port: int, pid: int, known: Sequence[int]) -> Sample:
    """Return one run; `known` are the other processes that belong to it. Raises AssertionError on a failed request."""
    busy, ours, theirs, children = _busy(), cpu(pid), sum(map(cpu, known)), _children()
    began = time.monotonic()
    said = _wrk(load, port=port)
    elapsed = time.monotonic() - began
    used = cpu(pid) - ours
    own = used + sum(map(cpu, known)) - theirs + _children() - children
    requests = _requests(said)
    return Sample(
        cost=used * 1e6 / requests,
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        p99=_milliseconds(_found(r"\n\s+99%\s+(\S+)", said)),
        foreign=max(0.0, _busy() - busy - own) / elapsed / (os.cpu_count() or 1),
    )


def requests_of(load: Load, *, port: int) -> int:
    """Have it done, and return how many requests that were. Raises AssertionError on a failed request."""
    return _requests(_wrk(load, port=port))


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process and its children have used."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(stat[11]) + int(stat[12])) / _TICK + sum(cpu(int(child)) for child in children)


def _wrk(load: Load, *, port: int) -> str:
    argv = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}", "--latency", "--timeout=10"]
    argv += ["-H", f"Host: {HOST}", *(word for line in load.lines for word in ("-H", line))]
    if load.script:
        argv += ["-s", str(Path(__file__).parent / load.script)]
    argv.append(f"http://127.0.0.1:{port}{load.path}")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _requests(said: str) -> int:
    requests = int(_found(r"(\d+) requests in", said))
    if "Non-2xx" in said or "Socket errors" in said or not requests:
        raise AssertionError(said)
    return requests


def _children() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy() -> float:
    user, nice, system, _idle, _wait, irq, soft, *_ = (
        Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return sum(map(int, (user, nice, system, irq, soft))) / _TICK


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        raise AssertionError(said)
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]  # wrk's own form
    return float(number) * _UNITS[unit]
