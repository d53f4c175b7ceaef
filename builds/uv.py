"""The adapter of uv, which is installed beside mini as a wheel: where its binary is, and what it complains about."""

import re
from importlib.metadata import PackageNotFoundError, version

from uv import find_uv_bin

from paas.errors import PaasError

_MISSING = "uv, which belongs to mini, is missing beside it. Install mini again."

_CROSS = "\N{MULTIPLICATION SIGN}"
"""What uv puts in front of an error that it explains."""


def uv_binary() -> str:
    """Return the path of uv; raises PaasError where mini's own installation has lost it."""
    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        raise PaasError(_MISSING) from error


def uv_version() -> str:
    """Return its version, which images get too; raises PaasError as `uv_binary` does."""
    try:
        return version("uv")
    except PackageNotFoundError as error:
        raise PaasError(_MISSING) from error


def explain(lines: tuple[str, ...]) -> str:
    """Return uv's complaint among the last lines of its output in one sentence."""
    start = next((at for at, line in enumerate(lines) if line.strip().startswith(("error:", _CROSS))), None)
    said = lines[start:] if start is not None else lines[-3:]
    text = re.sub(rf"[{_CROSS}╰─▶│├]+", " ", " ".join(said))
    text = re.sub(r"\b(error|cause):|No solution found when resolving dependencies:?", "", text)
    return " ".join(text.split("hint:")[0].split())[:400]
