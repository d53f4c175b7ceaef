"""`git push`: what who pushes is told while the objects wait in quarantine. What is deployed decides whether it is taken."""

import asyncio
from contextlib import AsyncExitStack, suppress

from api.routes.deployments import shown
from api.services import Services
from builds.git import commit_id
from builds.hook import Decide, Push, Say
from builds.updates import Update, only_stored, to_deploy
from paas.domain.app import App
from paas.domain.ids import Commit
from paas.errors import ConflictError, NotFoundError, PaasError
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


def deploy(here: Services, app: App, *, actor: str, until_git_ended: AsyncExitStack) -> Decide:
    """Return what decides by deploying: a push is taken when what it has of main or master serves. No other one that
    deploys the app is decided before `until_git_ended` is left."""

    async def decide(push: Push, say: Say) -> bool:
        deployed = to_deploy(push.updates)
        for update in only_stored(push.updates):
            again = f"To deploy it: git push mini {update.branch}:main"
            await say(f" !     {update.branch} is stored, not deployed. {again}")
        if deployed is None:
            return True
        who = f"the push of {deployed.new[:7]} by {actor}"
        if holder := here.pushing.holder(app.id):
            await say(f"{_MARKS[OutputKind.STEP]}Waiting for {holder}")
        turn = here.pushing.enter(app, who=who, wait=_WAIT_FOR_LEASE)
        await until_git_ended.enter_async_context(turn)
        await _check_unmoved(here, app, deployed)
        return await _deployed(here, app, push, deployed, actor=actor, say=say)

    return decide


async def _check_unmoved(here: Services, app: App, update: Update) -> None:
    """Raise ConflictError where the branch is not what the push was told it is: git would refuse it too, but only when
    it has been deployed."""
    now: Commit | None = None
    with suppress(NotFoundError):
        now = await here.repositories.resolve(app.id, update.ref)
    if now != (None if update.creates else update.old):
        raise ConflictError(
            f"{update.branch} has moved since this push began: another push was faster. Push again."
        )


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
