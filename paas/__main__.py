"""The entry points. They put mini's own directory first on the path before anything else is imported."""

import gc
import sys
from pathlib import Path

_GARBAGE = 50_000
"""Objects before Python first looks for garbage: most commands have ended by then."""


def main() -> None:
    """Run the `mini` command line; exits with the code of the table in `paas.errors`."""
    _prepare()
    from cli.main import run

    run()


def git_remote() -> None:
    """Run `git-remote-mini`, which git starts for a remote of the form `mini::APP`."""
    _prepare()
    from cli.git_remote import run

    run()


def _prepare() -> None:
    gc.set_threshold(_GARBAGE)
    # An app's repository may hold packages named `api` or `cli` too: the caller's folder never wins.
    home = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [home, *(entry for entry in sys.path if entry not in ("", home))]


if __name__ == "__main__":
    main()
