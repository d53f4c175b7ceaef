"""`git push`: what who pushes is told while the objects wait in quarantine. What is deployed decides whether it is taken."""

import asyncio
from contextlib import suppress

from api.routes.deployments import shown
from api.services import Services
from builds.git import commit_id
from builds.hook import Decide, Push, Say
from builds.updates import Update, only_stored, to_deploy
from paas.domain.app import App
from paas.errors import PaasError
from releases.outputs import OutputKind

_MARKS = {
    OutputKind.STEP: "-----> ",
    OutputKind.OUTPUT: "       ",
    OutputKind.WARNING: " !     ",
    OutputKind.ERROR: " !     ",
}
_WAIT_FOR_LEASE = 900.0


async def store(push: Push, say: Say) -> bool:  # noqa: ARG001 - the signature of `Decide`
    """Take what is pushed, and no more: whoever pushed it asks for a deployment by another call."""
    return True


def deploy(here: Services, app: App, *, actor: str) -> Decide:
    """Return what decides by deploying: a push is taken when what it has of main or master serves."""

    async def decide(push: Push, say: Say) -> bool:
        deployed = to_deploy(push.updates)
        for update in only_stored(push.updates):
            again = f"To deploy it: git push mini {update.branch}:main"
            await say(f" !     {update.branch} is stored, not deployed. {again}")
        return deployed is None or await _deployed(here, app, push, deployed, actor=actor, say=say)

    return decide


async def _deployed(here: Services, app: App, push: Push, update: Update, *, actor: str, say: Say) -> bool:
    begun = await here.deployer.push(
        app,
        commit=commit_id(update.new),
        ref=update.branch,
        message="",
        no_cache=False,
        wait_lock=_WAIT_FOR_LEASE,
        actor=actor,
        quarantine=push.quarantine,
    )
    said = ""
    try:
        async for line in here.deployer.output(begun.id):
            said = line.text
            await say(_MARKS[line.kind] + line.text)
        ended = await shown(here, app, await here.deployer.wait(begun))
    except (asyncio.CancelledError, ConnectionError):
        with suppress(PaasError):  # it may be too late for that
            await here.deployer.cancel(app, begun)
        raise
    if ended.state == "succeeded":
        await say(f"v{ended.release or ended.serving}  {ended.url}")
    elif ended.reason not in said:
        await say(f" !     {ended.reason}")
    return ended.state == "succeeded"
