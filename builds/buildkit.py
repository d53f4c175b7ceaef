"""One build of an image by the daemon's own BuildKit: a session that gives the files, a request that asks for the image,
and what is told meanwhile. It decides nothing about images.

BuildKit would ask a registry for a base image at each build, and keep it where nobody sees it. So one that is not here
is pulled first, as `docker pull` does it, and is here from then on.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock, Thread

from builds.daemon import Daemon, ImageRequest
from builds.line import Line
from builds.session import Folder, Session
from builds.steps import Steps, foreign_image, pull_news
from builds.trace import Trace, read_trace
from paas.errors import EngineUnavailableError, OperationCancelledError, PaasError

_TRACE, _IMAGE = "moby.buildkit.trace", "moby.image.id"
_LAST_WORDS = 10.0
"""Seconds that a session may take to end once its connection has."""


class _MissingImageError(Exception):
    """An image that is not on this machine is about to be looked up."""

    def __init__(self, image: str) -> None:
        super().__init__(image)
        self.image = image


class ImageBuild:
    """`folders` is what BuildKit builds from, by the names that it asks by, and `key` its session's."""

    def __init__(
        self,
        daemon: Daemon,
        request: ImageRequest,
        folders: Mapping[str, Folder],
        *,
        key: str,
        say: Callable[[str], None],
    ) -> None:
        self._daemon = daemon
        self._request = request
        self._folders = folders
        self._key = key
        self._say = say
        self._known: set[str] = set()
        """Images that are here, or came as near as they do."""
        self._lock = Lock()
        self._session: Session | None = None
        self._line = Line()
        self._stopped = Event()

    def run(self) -> str:
        """Build to the end and return the image's id. It blocks.

        Raises BuildFailedError, DiskFullError, EngineUnavailableError, and OperationCancelledError after `stop`.
        """
        try:
            while True:
                try:
                    return self._attempt()
                except _MissingImageError as missing:
                    self._pull(missing.image)
        except PaasError as error:
            if self._stopped.is_set():
                raise OperationCancelledError from error
            raise

    def stop(self) -> None:
        """Ask Docker to end the build: `run` returns once it has. Raises EngineUnavailableError where it does not answer."""
        self._stopped.set()
        with self._lock:
            session = self._session
        if session is not None:
            self._daemon.cancel(session.id)
        else:  # what is pulled is given up with its connection
            self._line.hang_up()

    def hang_up(self) -> None:
        """End it from this side: `run` returns, whatever Docker does."""
        with self._lock:
            session = self._session
        self._line.hang_up()
        if session is not None:
            session.close()

    def _attempt(self) -> str:
        with (
            self._serving() as session,
            self._daemon.solving(self._request, session=session.id, line=self._line) as solving,
        ):
            if self._stopped.is_set():  # it may have been too early to cancel it
                self._daemon.cancel(session.id)
            return self._follow(solving.events())

    @contextmanager
    def _serving(self) -> Iterator[Session]:
        """Yield an open session, served on a thread; what it refuses to give is why a build fails."""
        session = Session(self._daemon.door, self._folders, key=self._key)
        thread = Thread(target=session.serve, name="mini-build-session", daemon=True)
        try:
            with self._lock:
                self._session = session
            with self._daemon.reached():
                session.open()
            thread.start()
            if self._stopped.is_set():
                raise OperationCancelledError
            yield session
        except PaasError as error:
            if session.refusal is not None:
                raise session.refusal from error
            raise
        finally:
            with self._lock:
                self._session = None
            session.close()
            if thread.ident is not None:
                thread.join(_LAST_WORDS)

    def _follow(self, events: Iterator[Mapping[str, object]]) -> str:
        steps, image = Steps(), ""
        for event in events:
            if complaint := event.get("error"):
                self._show(steps.end())
                raise steps.failure(str(complaint))
            kind, content = event.get("id"), event.get("aux")
            if kind == _TRACE and isinstance(content, str):
                trace = read_trace(base64.b64decode(content))
                self._look_up(trace)
                self._show(steps.read(trace))
            elif kind == _IMAGE and isinstance(content, dict):
                image = str(content["ID"])
        self._show(steps.end())
        if not image:
            raise EngineUnavailableError("Docker ended the build and has no image of it. Push again.")
        return image

    def _look_up(self, trace: Trace) -> None:
        for image in filter(None, map(foreign_image, trace.vertexes)):
            if image not in self._known:
                self._known.add(image)
                if self._daemon.find(image) is None:
                    raise _MissingImageError(image)

    def _pull(self, image: str) -> None:
        for status, layer in self._daemon.pull(image, line=self._line):
            if self._stopped.is_set():
                raise OperationCancelledError
            self._show(pull_news(status, layer=layer))

    def _show(self, lines: list[str]) -> None:
        for line in lines:
            self._say(line)
