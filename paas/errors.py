"""Every error a user can meet, as one tree, and the one table of codes, HTTP statuses and exit codes.

    PaasError
    ├── InvalidError                     2   usage or validation; nothing was changed
    │   ├── NameTakenError
    │   ├── EngineMismatchError
    │   └── UnsupportedError
    ├── NotFoundError                    3
    ├── NotAllowedError                  4
    │   └── UnauthenticatedError
    ├── LeaseHeldError                   5
    ├── UnreachableError                 6
    ├── BuildFailedError                10
    ├── ReleaseFailedError              11
    ├── NotHealthyError                 12
    ├── OperationCancelledError                  13
    │   └── OperationTimedOutError
    ├── ArtifactGoneError               14
    ├── RunFailedError                 125
    ├── CommandNotExecutableError      126
    ├── CommandNotFoundError           127
    ├── ConflictError                    1
    ├── EngineUnavailableError           1
    ├── DiskFullError                    1
    └── HomeInUseError                   1

A class's docstring is its default message. A message says what happened, to which thing, and what to do next.
"""

from typing import ClassVar, NamedTuple


class Outcome(NamedTuple):
    """How an error code is shown: the HTTP status of the API and the exit code of the command line."""

    status: int
    exit: int


class PaasError(Exception):
    """mini met an error it has no better word for. Look into `mini server logs`."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self.args[0])


class InvalidError(PaasError):
    """The request is not valid; nothing was changed."""

    code = "invalid"


class NameTakenError(InvalidError):
    """That name is already taken. Choose another one."""

    code = "name_taken"


class EngineMismatchError(InvalidError):
    """This home was set up for another engine. Start another home with MINI_HOME to use this one."""

    code = "engine_mismatch"


class UnsupportedError(InvalidError):
    """mini runs on Linux 5.4 or newer (WSL 2 too)."""

    code = "unsupported"


class NotFoundError(PaasError):
    """There is no such thing."""

    code = "not_found"


class NotAllowedError(PaasError):
    """This token may not do that."""

    code = "not_allowed"


class UnauthenticatedError(NotAllowedError):
    """This needs a token: send it as `Authorization: Bearer …`."""

    code = "unauthenticated"


class LeaseHeldError(PaasError):
    """Another deployment of the app is under way. Try again, or wait longer with --wait-lock."""

    code = "lease_held"


class UnreachableError(PaasError):
    """The control plane does not answer. Start it with `mini server start`."""

    code = "unreachable"


class BuildFailedError(PaasError):
    """The build failed; the old release still serves."""

    code = "build_failed"


class ReleaseFailedError(PaasError):
    """The release command failed; the old release still serves."""

    code = "release_failed"


class NotHealthyError(PaasError):
    """The new release did not become healthy; the old release still serves."""

    code = "not_healthy"


class OperationCancelledError(PaasError):
    """It was cancelled; nothing was changed."""

    code = "cancelled"


class OperationTimedOutError(OperationCancelledError):
    """It took too long and was given up; nothing was changed."""

    code = "timed_out"


class ArtifactGoneError(PaasError):
    """The artifact of that release is gone; nothing was changed. Push its commit again instead."""

    code = "artifact_gone"


class RunFailedError(PaasError):
    """mini could not run the command."""

    code = "run_failed"


class CommandNotExecutableError(RunFailedError):
    """The command is not executable."""

    code = "command_not_executable"


class CommandNotFoundError(RunFailedError):
    """The command was not found."""

    code = "command_not_found"


class ConflictError(PaasError):
    """The request collides with another one."""

    code = "conflict"


class EngineUnavailableError(PaasError):
    """The engine does not answer; what runs is left as it is."""

    code = "engine_unavailable"


class DiskFullError(PaasError):
    """The disk that holds the state directory is full; running apps go on. Free space, or run `mini gc`."""

    code = "disk_full"


class HomeInUseError(PaasError):
    """Another server already runs on this state directory."""

    code = "home_in_use"


OUTCOMES: dict[str, Outcome] = {
    "internal": Outcome(500, 1),
    "invalid": Outcome(422, 2),
    "name_taken": Outcome(409, 2),
    "engine_mismatch": Outcome(409, 2),
    "unsupported": Outcome(501, 2),
    "not_found": Outcome(404, 3),
    "not_allowed": Outcome(403, 4),
    "unauthenticated": Outcome(401, 4),
    "lease_held": Outcome(423, 5),
    "unreachable": Outcome(503, 6),
    "build_failed": Outcome(422, 10),
    "release_failed": Outcome(422, 11),
    "not_healthy": Outcome(422, 12),
    "cancelled": Outcome(409, 13),
    "timed_out": Outcome(408, 13),
    "artifact_gone": Outcome(410, 14),
    "run_failed": Outcome(500, 125),
    "command_not_executable": Outcome(422, 126),
    "command_not_found": Outcome(422, 127),
    "conflict": Outcome(409, 1),
    "engine_unavailable": Outcome(503, 1),
    "disk_full": Outcome(507, 1),
    "home_in_use": Outcome(409, 1),
}


def exit_code(code: str) -> int:
    """Return the exit code for a problem's `code`; 1 for a code that a newer server may know and we do not."""
    outcome = OUTCOMES.get(code)
    return outcome.exit if outcome else 1
