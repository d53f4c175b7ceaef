"""What the routes may call: the parts of the control plane, composed once in `api.server`."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from api.access import Caller
from api.views import Doors
from builds.repository import Repositories
from builds.service import BuildService
from paas.clock import Clock
from paas.domain.app import App
from paas.domain.ids import AppId
from paas.domain.names import app_name
from paas.logs.client import LogPlane
from paas.router.processes import Routers
from paas.settings import EngineChoice, Settings
from paas.store.database import Store
from paas.supervisor.loop import Supervisor
from paas.supervisor.views import InstanceView, unknown
from paas.threads import in_thread
from releases.deploy import Deployer
from releases.lease import Leases
from releases.outputs import Outputs
from releases.service import ReleaseService
from releases.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Services:
    """The control plane's parts."""

    settings: Settings
    clock: Clock
    store: Store
    repositories: Repositories
    builds: BuildService
    supervisor: Supervisor
    logs: LogPlane
    routers: Routers
    outputs: Outputs
    deployer: Deployer
    pushing: Leases
    """Held by a `git push` that deploys until git has ended: what git was told the branches are must hold till then."""
    releases: ReleaseService
    traffic: Traffic
    engine: EngineChoice
    silence: Callable[[], Awaitable[str | None]]
    """Ask why the engine does not answer right now; None where it does."""
    api_address: str
    started_at: datetime
    stop: Callable[[bool], None]
    """Ask the server to stop; True keeps the apps running."""

    @property
    def doors(self) -> Doors:
        return Doors(http=self.routers.address, https=self.routers.https)

    async def observed(self, apps: Iterable[App]) -> dict[AppId, list[InstanceView]]:
        """Return what is seen of the instances of these apps. The engine is asked once for all of them: where it does not
        answer, what it would have to say is unknown."""
        silent = await self.silence()
        seen = {app.id: self.supervisor.instances(app.id) for app in apps}
        return {id: [unknown(view) for view in found] for id, found in seen.items()} if silent else seen


def _services(connection: HTTPConnection) -> Services:
    services = connection.app.state.services
    assert isinstance(services, Services)  # noqa: S101 - set by create_app
    return services


def _caller(connection: HTTPConnection) -> Caller:
    caller = connection.scope["state"]["caller"]
    assert isinstance(caller, Caller)  # noqa: S101 - set by api.access for every connection
    return caller


Here = Annotated[Services, Depends(_services)]
By = Annotated[Caller, Depends(_caller)]


async def _app(here: Here, app: Annotated[str, Path(examples=["shop"])]) -> App:
    return await in_thread(here.store.apps.get, app_name(app))


TheApp = Annotated[App, Depends(_app)]
"""The app that the path names; NotFoundError where there is none."""
