"""Editing config vars as a file in the user's editor. The file is 0600, and kept where it cannot be read back."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cli.envfile import read_env, write_env
from paas.errors import InvalidError


def edited(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables as the editor left them; raises InvalidError where it failed or left nonsense."""
    handle, name = tempfile.mkstemp(prefix="mini-config-", suffix=".env")
    path = Path(name)
    with os.fdopen(handle, "w") as file:
        file.write(write_env(variables))
    try:
        _edit(path, environ)
        after = read_env(path.read_text(), source=str(path))
    except InvalidError as error:
        raise InvalidError(f"{error.message} Nothing was changed; your text is in {path}.") from error
    path.unlink()
    return after


def _edit(path: Path, environ: Mapping[str, str]) -> None:
    editor = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "vi")
    try:
        ended = subprocess.run([*editor, str(path)], check=False)
    except FileNotFoundError:
        raise InvalidError(f"The editor {editor[0]!r} was not found: set EDITOR.") from None
    if ended.returncode != 0:
        raise InvalidError(f"The editor ended with exit {ended.returncode}.")
