"""Deployments: push a commit, follow what happens, cancel it. Every releasing call answers with one."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from api import schemas, views
from api.services import By, Here, Services, TheApp
from api.streams import stream
from builds import git
from paas.domain.app import App
from paas.domain.ids import DeploymentId
from paas.domain.release import Deployment
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}/deployments", tags=["deployments"])


@router.post("", status_code=202)
async def deploy(app: TheApp, new: schemas.NewDeployment, here: Here, by: By) -> schemas.Deployment:
    """Deploy a commit whose objects were pushed; answers at once, the output stream tells the rest."""
    started = await here.deployer.push(
        app,
        commit=git.commit_id(new.commit),
        ref=new.ref,
        message=new.message,
        no_cache=new.no_cache,
        wait_lock=new.wait_lock,
        actor=by.name,
    )
    return await shown(here, app, started)


@router.get("")
async def list_deployments(
    app: TheApp, here: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 15
) -> list[schemas.Deployment]:
    """The app's deployments, newest first."""
    found = await in_thread(here.store.deployments.list, app.id, limit=limit)
    return [await shown(here, app, deployment) for deployment in found]


@router.get("/{deployment}")
async def show_deployment(app: TheApp, deployment: str, here: Here) -> schemas.Deployment:
    """One deployment."""
    return await in_thread(_found, here, app, deployment)


@router.get("/{deployment}/output", response_class=StreamingResponse)
async def deployment_output(
    app: TheApp, deployment: str, here: Here, request: Request, after: Annotated[int, Query(ge=0)] = 0
) -> StreamingResponse:
    """A stream of OutputLine that ends when the deployment has ended, with a DeploymentEnd."""
    found = await in_thread(here.store.deployments.get, app.id, deployment)
    return stream(request, _to_its_end(here, app, found.id, after=after))


@router.post("/{deployment}/cancel")
async def cancel_deployment(app: TheApp, deployment: str, here: Here) -> schemas.Deployment:
    """Cancel a deployment that has not switched yet; nothing is changed by it then."""
    found = await in_thread(here.store.deployments.get, app.id, deployment)
    await here.deployer.cancel(app, found)
    return await in_thread(_found, here, app, found.id)


async def _to_its_end(
    here: Services, app: App, id: DeploymentId, *, after: int
) -> AsyncIterator[schemas.OutputLine | schemas.DeploymentEnd]:
    async for line in output_lines(here, id, after=after):
        yield line
    yield schemas.DeploymentEnd(deployment=await in_thread(_found, here, app, id))


async def output_lines(
    here: Services, deployment: DeploymentId, *, after: int = 0
) -> AsyncIterator[schemas.OutputLine]:
    """Yield a deployment's output lines as documents, until it has ended."""
    async for line in here.deployer.output(deployment, after=after):
        yield schemas.OutputLine(sequence=line.sequence, at=line.at, kind=line.kind.value, text=line.text)


async def shown(here: Services, app: App, deployment: Deployment) -> schemas.Deployment:
    """Return the document of a deployment, with the versions that it made and that serves."""
    return await in_thread(_document, here, app, deployment)


def _found(here: Services, app: App, id: str) -> schemas.Deployment:
    return _document(here, app, here.store.deployments.get(app.id, id))


def _document(here: Services, app: App, deployment: Deployment) -> schemas.Deployment:
    releases = here.store.releases
    current = here.store.apps.get_by_id(app.id).current
    return views.deployment(
        deployment,
        app=app.name,
        url=views.app_url(app.name, here.routers.address),
        release=releases.get_by_id(deployment.release).version if deployment.release else None,
        serving=releases.get_by_id(current).version if current else None,
    )
