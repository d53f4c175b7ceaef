"""Going back by itself from a release that crashed in its first minute. It decides whether, never how."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from paas.domain.app import App
from paas.domain.ids import AppId, ReleaseId
from paas.domain.release import DeploymentKind
from paas.errors import PaasError
from paas.store.database import Store
from paas.threads import in_thread

log = logging.getLogger(__name__)

PLATFORM = "mini"
"""Who acts where the platform does something by itself."""

Revert = Callable[[App, ReleaseId, str], Awaitable[None]]


class Reverts:
    """The platform's own way back: once for a release, and never from one that is itself such a way back."""

    def __init__(self, store: Store, *, revert: Revert) -> None:
        self._store = store
        self._revert = revert
        self._considered: set[ReleaseId] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def consider(self, app: AppId, release: ReleaseId, cause: str) -> None:
        """Go back from an unstable release, in a task; what stands against it goes to the server's log."""
        if release in self._considered:
            return
        self._considered.add(release)
        task = asyncio.create_task(self._go_back(app, release, cause), name=f"revert of {release}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Return when nothing is considered any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_back(self, app: AppId, release: ReleaseId, cause: str) -> None:
        try:
            deployment = await in_thread(self._store.deployments.for_release, release)
            if deployment.kind is not DeploymentKind.REVERT:
                await self._revert(await in_thread(self._store.apps.get_by_id, app), release, cause)
        except PaasError as error:
            log.warning(
                "unstable release stays", extra={"app": app, "release": release, "reason": error.message}
            )
        except Exception:
            log.exception(
                "unstable release stays by a mistake of mini", extra={"app": app, "release": release}
            )
