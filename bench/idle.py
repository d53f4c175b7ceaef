"""What a server costs that has nothing to do: CPU and memory of all its processes, with 100 instances."""

import time
from collections.abc import Iterator

import psutil

from bench.row import Row
from bench.stage import Mini, Repository, stage

INSTANCES = 100
WATCH_SECONDS = 20.0
CPU_GOAL = 0.01
MEMORY_GOAL_MB = 150.0

SLEEPER = {"Procfile": "clock: sleep 100000\n"}


def rows() -> Iterator[Row]:
    """Yield the CPU share and the memory (proportional set size) of control plane, router and log plane together."""
    with stage() as mini:
        repository = Repository(mini, mini.home.parent / "sleepers").write(SLEEPER)
        repository.commit()
        repository.push()
        mini.ok("scale", f"clock={INSTANCES}", "-a", "sleepers")
        processes = _planes(mini)
        before = _cpu(processes)
        began = time.monotonic()
        time.sleep(WATCH_SECONDS)
        share = (_cpu(processes) - before) / (time.monotonic() - began)
        memory = sum(process.memory_full_info().pss for process in processes) / 1e6
        yield Row(f"idle CPU, {INSTANCES} instances", "1 % of a core", "cores", [share], [CPU_GOAL], 1.0)
        yield Row(f"memory, {INSTANCES} instances", "150 MB", "MB", [memory], [MEMORY_GOAL_MB], 1.0)


def _planes(mini: Mini) -> list[psutil.Process]:
    pids = mini.status()["pids"]
    return [psutil.Process(pid) for pid in (pids["control"], *pids["router"], pids["logs"])]


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)
