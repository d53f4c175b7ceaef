"""`make bench [ARGS=NAME…]`: run the named benchmarks, or all but the longest, and print a row for each comparison."""

import importlib
import sys

NAMES = ("command", "deploy", "docker", "compose", "idle", "router", "hardship", "logs")
LONG = ("steady",)
"""Those that take longer than all the others together: run where they are named."""


def main(names: list[str]) -> int:
    """Return 0 where every goal was reached."""
    unknown = sorted(set(names) - {*NAMES, *LONG})
    if unknown:
        print(
            f"There is no benchmark {', '.join(unknown)}; there are {', '.join((*NAMES, *LONG))}.",
            file=sys.stderr,
        )
        return 2
    missed = 0
    for name in names or NAMES:
        print(f"== {name}", flush=True)
        for row in importlib.import_module(f"bench.{name}").rows():
            print(row, flush=True)
            missed += not row.reached
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
