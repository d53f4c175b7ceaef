"""What a control plane that starts does with the deployments of the one before it: those before the switch failed."""

from paas.domain.build import BuildState
from paas.domain.release import DeploymentState
from paas.errors import OperationCancelledError
from paas.store.database import Store
from paas.threads import in_thread
from releases.outputs import Outputs

RESTARTED = "the control plane was restarted"


async def recover(store: Store, outputs: Outputs) -> None:
    """Fail every build and deployment that has not ended. Their candidates are desired no more from then on, so the
    supervisor stops them; one that had switched has ended already, in the same transaction."""
    for build in await in_thread(store.builds.running):
        await in_thread(store.builds.fail, build.id, state=BuildState.FAILED, reason=RESTARTED)
    for deployment in await in_thread(store.deployments.open):
        output = await outputs.reopen(deployment.id)  # first: who follows it meanwhile is to hear this
        output.error(f"{RESTARTED[0].upper()}{RESTARTED[1:]}; nothing was changed.")
        await in_thread(
            store.deployments.fail,
            deployment.id,
            state=DeploymentState.FAILED,
            code=OperationCancelledError.code,
            reason=RESTARTED,
        )
        await outputs.close(deployment.id)
