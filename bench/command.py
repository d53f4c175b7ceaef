"""What it costs to start a command: `mini --help` and `mini ps` beside `python -c pass`."""

from collections.abc import Iterator

from bench.row import Row
from bench.stage import Repository, pythons, seconds, stage, web
from tests.e2e.harness import BIN

ROUNDS = 15
GOAL = 8.0


def rows() -> Iterator[Row]:
    """Yield a row for each command; rounds are interleaved."""
    with stage() as mini:
        shop = Repository(mini, mini.home.parent / "shop").write(web())
        shop.commit()
        shop.push()
        commands = {"mini --help": ["--help"], "mini ps": ["ps", "-a", "shop"]}
        samples: dict[str, list[float]] = {name: [] for name in commands}
        bare: list[float] = []
        for _ in range(ROUNDS):
            bare.append(seconds([pythons(), "-c", "pass"]))
            for name, argv in commands.items():
                samples[name].append(seconds([str(BIN / "mini"), *argv], env=mini.environ))
        for name, ours in samples.items():
            yield Row(name, "python -c pass", "s", ours, bare, GOAL)
