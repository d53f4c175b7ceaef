"""Editing config vars as a file in the user's editor. The file is 0600, and kept where what it says was not done."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.envfile import read_env, write_env
from cli.output import complain
from paas.errors import InvalidError


@contextmanager
def edited(variables: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Give the variables as the editor left them; raises InvalidError where it failed or left nonsense.

    The file goes at the end of the block; where that raises, it is kept and named, so that no work is lost.
    """
    handle, name = tempfile.mkstemp(prefix="mini-config-", suffix=".env")
    path = Path(name)
    with os.fdopen(handle, "w") as file:
        file.write(write_env(variables))
    try:
        _edit(path, environ)
        after = read_env(path.read_text(), source=str(path))
    except InvalidError as error:
        raise InvalidError(f"{error.message} Nothing was changed; your text is in {path}.") from error
    try:
        yield after
    except BaseException:
        complain(f"Your text is in {path}.")
        raise
    path.unlink()


def _edit(path: Path, environ: Mapping[str, str]) -> None:
    command = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(command), str(path)], check=False)
    except FileNotFoundError:
        raise InvalidError(f"The editor {command!r} was not found: set EDITOR.") from None
    except (OSError, ValueError) as error:
        raise InvalidError(f"The editor {command!r} cannot be run: {error}. Set EDITOR.") from error
    if ended.returncode != 0:
        raise InvalidError(f"The editor ended with exit {ended.returncode}.")
