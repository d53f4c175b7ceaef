"""What a control plane that starts does with the deployments of the one before it: those before the switch failed."""

from functools import partial

from paas.clock import Clock
from paas.domain.build import BuildState
from paas.domain.release import DeploymentState
from paas.errors import OperationCancelledError
from paas.store.database import Store
from paas.store.persistence import persist
from paas.threads import in_thread
from releases.outputs import Outputs

RESTARTED = "the control plane was restarted"


async def recover(store: Store, outputs: Outputs, *, clock: Clock) -> None:
    """Fail every build and deployment that has not ended. Their candidates are desired no more from then on, so the
    supervisor stops them; one that had switched has ended already, in the same transaction.

    Raises DiskFullError, BusyStoreError where that lasts.
    """
    for build in await in_thread(store.builds.running):
        fail_build = partial(store.builds.fail, build.id, state=BuildState.FAILED, reason=RESTARTED)
        await persist(fail_build, clock=clock)
    for deployment in await in_thread(store.deployments.open):
        output = await outputs.reopen(deployment.id)  # first: who follows it meanwhile is to hear this
        output.error(f"{RESTARTED[0].upper()}{RESTARTED[1:]}; nothing was changed.")
        fail = partial(
            store.deployments.fail,
            deployment.id,
            state=DeploymentState.FAILED,
            code=OperationCancelledError.code,
            reason=RESTARTED,
        )
        await persist(fail, clock=clock)
        await outputs.close(deployment.id)
