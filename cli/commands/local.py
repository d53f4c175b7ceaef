"""Local: the Procfile of the work tree in the foreground, with the app's config. honcho runs and prints it."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from builds.procfile import parse_procfile
from cli.client import app_path
from cli.documents import Config
from cli.envfile import read_env
from cli.invocation import Invocation, invocation
from cli.parser import Commands
from paas.domain.names import RELEASE
from paas.domain.process import Procfile
from paas.errors import InvalidError, NotFoundError, PaasError

commands = Commands()

_HOST = "127.0.0.1"
_FIRST_PORT = 5000
_PORTS_PER_TYPE = 100


@commands.add("local", example="mini local -c web=2")
def local(
    ctx: typer.Context,
    concurrency: Annotated[
        list[str] | None,
        typer.Option("-c", "--concurrency", metavar="TYPE=N", help="How many of a type; else one."),
    ] = None,
    env_file: Annotated[
        Path, typer.Option("--env", metavar="FILE", help="A .env file that goes before the config.")
    ] = Path(".env"),
    port: Annotated[
        int, typer.Option("-p", "--port", min=1, max=60000, help="web's first port.")
    ] = _FIRST_PORT,
) -> None:
    """Run the Procfile here, in the foreground.

    With the config vars of the app, if there is one, and those of .env. All stops when one process ends.
    """
    mini = invocation(ctx)
    procfile = _procfile()
    counts = _counts(procfile, concurrency or [])
    environment = _environment(mini, env_file)
    raise typer.Exit(_run(procfile, counts, environment, first_port=port))


def _procfile() -> Procfile:
    try:
        return parse_procfile(Path("Procfile").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidError(
            "There is no Procfile in this folder. Write one, such as `web: python app.py`."
        ) from None
    except UnicodeDecodeError:
        raise InvalidError("The Procfile is not UTF-8 text.") from None
    except PaasError as error:
        raise InvalidError(error.message) from error


def _counts(procfile: Procfile, options: list[str]) -> dict[str, int]:
    counts = {str(kind): 1 for kind in procfile.long_running}
    for token in ",".join(options).split(",") if options else []:
        kind, _, count = token.partition("=")
        if kind not in counts or not (count.isascii() and count.isdigit()):
            raise InvalidError(
                f"-c takes TYPE=N with a type of the Procfile ({', '.join(counts)}); got {token!r}."
            )
        counts[kind] = int(count)
    return counts


def _environment(mini: Invocation, env_file: Path) -> dict[str, str]:
    variables = _config_of_app(mini)
    if env_file.exists():
        variables |= read_env(env_file.read_text(encoding="utf-8"), source=str(env_file))
    return {**mini.environ, "HOST": _HOST, "PYTHONUNBUFFERED": "1", **variables}


def _config_of_app(mini: Invocation) -> dict[str, str]:
    app = mini.find_app()
    if app is None:
        mini.output.progress("No app is named: running without the config of one.")
        return {}
    try:
        return dict(mini.client.get(app_path(app, "config"), Config)["variables"])
    except NotFoundError:
        if mini.app_option:
            raise
        return {}


def _run(
    procfile: Procfile, counts: Mapping[str, int], environment: dict[str, str], *, first_port: int
) -> int:
    from honcho.manager import Manager
    from honcho.printer import Printer

    manager = Manager(Printer(_Unbuffered(sys.stdout.fileno())))
    for name, command, port in _processes(procfile, counts, first_port=first_port):
        own = {**environment, "PORT": str(port), "PS": name, "MINI_RELEASE": "local"}
        manager.add_process(name, command, env=own, cwd=str(Path.cwd()))
    manager.loop()
    code = int(manager.returncode or 0)
    return 128 - code if code < 0 else code


class _Unbuffered:
    """Standard output for a printer that a signal handler uses too: a buffer must not be entered twice."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        data = text.encode(errors="replace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing is ever held back."""

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def _processes(
    procfile: Procfile, counts: Mapping[str, int], *, first_port: int
) -> Iterator[tuple[str, str, int]]:
    kinds = [kind for kind in procfile.commands if kind != RELEASE]
    for position, kind in enumerate(kinds):
        for index in range(counts[kind]):
            port = first_port + position * _PORTS_PER_TYPE + index
            yield f"{kind}.{index + 1}", procfile.commands[kind], port
