"""Golden files: what a thing printed when it was last read and approved. `MINI_GOLDEN=update` writes them anew."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """Compare `text` with the golden file of that name, or write it where an update is asked for."""
    path = GOLDEN / name
    if os.environ.get("MINI_GOLDEN") == "update":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"there is no {path}: read the output, then MINI_GOLDEN=update make test"
    assert text == path.read_text(), f"{path} differs: read the difference, then MINI_GOLDEN=update make test"
