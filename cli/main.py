"""The entry of `mini` and the boundary where every error becomes one sentence and an exit code.

It decides nothing about what commands do.
"""

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Never

import typer

from cli.invocation import Invocation
from cli.output import complain
from cli.parser import root
from paas.errors import PaasError, exit_code

if TYPE_CHECKING:
    from datetime import datetime

COMPLETE = "_MINI_COMPLETE"
"""What a shell sets when it asks for completions."""
_INTERRUPTED = 130
_REFUSED = (2, 3, 4)
"""Exit codes of what was not even begun."""


def run() -> None:
    """Run the command line that this process was started with; never returns."""
    _leave(execute(sys.argv[1:], environ=os.environ, clock=_now))


def execute(arguments: Sequence[str], *, environ: Mapping[str, str], clock: "Callable[[], datetime]") -> int:
    """Return the exit code of one command line; what goes wrong is said on stderr, never raised."""
    invocation = Invocation(environ=environ, clock=clock)
    try:
        return _dispatch(arguments, invocation)
    except PaasError as error:
        code = exit_code(error.code)
        if code in _REFUSED:
            invocation.output.take_back()
        else:
            invocation.output.break_line()
        complain(error.message)
        return code
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        invocation.output.break_line()
        return _INTERRUPTED
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _unwritten(error) if error.errno in (errno.ENOSPC, errno.EDQUOT) else _unexpected(error)
    except Exception as error:  # noqa: BLE001 - the boundary: no user ever meets a traceback
        return _unexpected(error)


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _dispatch(arguments: Sequence[str], invocation: Invocation) -> int:
    if COMPLETE in invocation.environ:
        from typer._completion_classes import completion_init

        completion_init()
    answer = root().main(list(arguments), prog_name="mini", standalone_mode=False, obj=invocation)
    return answer if isinstance(answer, int) else 0


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return 0
    path = context.command_path if context is not None else "mini"
    complain(f"{error.format_message()}\nSee `{path} --help`.")
    return error.exit_code


def _unwritten(error: OSError) -> int:
    complain(f"What this command had to write is not whole: {error.strerror}.")
    return 1


def _unexpected(error: Exception) -> int:
    import tempfile
    import traceback

    # Nowhere else: the state directory may be what is wrong, and a traceback means nothing to a user.
    with tempfile.NamedTemporaryFile("w", prefix="mini-error-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    complain(
        f"mini met an error it did not expect: {type(error).__name__}: {error}. "
        f"This is a bug: please report it with {file.name}."
    )
    return 1


def _leave(code: int) -> Never:
    try:
        if sys.stdout is not None:  # None where it was closed before the start
            sys.stdout.flush()
    except BrokenPipeError:
        pass  # A reader that went away early, such as `head`, is no error.
    except OSError as error:
        code = code or _unwritten(error)
    with suppress(OSError, AttributeError):
        sys.stderr.flush()
    # Not sys.exit: taking the interpreter apart would cost a short command a seventh of its time.
    os._exit(code)
