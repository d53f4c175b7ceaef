"""What a one-off runs: words into one command for the shell. Pure."""

import shlex
from collections.abc import Sequence

from paas.domain.names import ProcessType
from paas.domain.process import Procfile
from paas.errors import InvalidError

_IN_PLACE = "exec "
"""In the shell's place: else the shell gets the signals too, and its end hides how the program took them."""


def command_of(words: Sequence[str], procfile: Procfile) -> str:
    """Return the command that `words` mean.

    A first word that is a process type stands for that type's command, further words are appended to it; an empty
    command is the image's own CMD. A single word is a line for the shell as it is; several are one program with its
    arguments.
    """
    if not any(words):
        raise InvalidError("There is no command to run. Write one, such as `mini run python`.")
    first, *rest = words
    command = procfile.commands.get(ProcessType(first))
    if command == "":
        if rest:
            raise InvalidError(
                f"{first} is the image's own CMD, which takes no words. Write the whole command."
            )
        return command
    if command is not None:
        return " ".join([command, *map(shlex.quote, rest)])
    return first if not rest else f"{_IN_PLACE}{shlex.join(words)}"


def in_its_users_words(command: str, words: Sequence[str]) -> str:
    """Return the command that `words` mean as it is told to people: without what `command_of` put in front."""
    asked = shlex.join(words)
    return asked if command == f"{_IN_PLACE}{asked}" else command
