"""The Procfile: honcho's grammar, read strictly. Nothing in it is ever dropped in silence."""

import re

from paas.domain.names import ProcessType, process_type
from paas.domain.process import Procfile
from paas.errors import BuildFailedError, InvalidError

_LINE = re.compile(r"([^\s:#]+):[^\S\n]*(\S.*)")
_BYTE_ORDER_MARK = "\ufeff"


def parse_procfile(text: str) -> Procfile:
    """Return the process types and commands; raises BuildFailedError with the number of the line that is wrong."""
    if text.startswith(_BYTE_ORDER_MARK):
        raise BuildFailedError("Procfile line 1 begins with a byte order mark. Save it as UTF-8 without one.")
    commands: dict[ProcessType, str] = {}
    # Lines end where honcho ends them: str.splitlines knows more ends than \n, and all of them count.
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, command = _parse_line(line, number)
            if name in commands:
                raise BuildFailedError(
                    f"Procfile line {number}: the type {name!r} is already there. Rename one."
                )
            commands[name] = command
    if not commands:
        raise BuildFailedError(
            "The Procfile has no process type. Write one, such as `web: gunicorn app:app`."
        )
    return Procfile(commands)


def _parse_line(line: str, number: int) -> tuple[ProcessType, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BuildFailedError(f"Procfile line {number}: {line[:80]!r} is not `TYPE: COMMAND`.")
    name, command = match[1], match[2].rstrip()
    if "\0" in command:
        raise BuildFailedError(f"Procfile line {number}: the command holds a NUL character. Remove it.")
    try:
        return process_type(name), command
    except InvalidError as error:
        raise BuildFailedError(f"Procfile line {number}: {error.message}") from error
