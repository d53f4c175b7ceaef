"""Which engine a home runs on, and what belongs to it: the engine itself, and the builder of its artifacts."""

import logging
from typing import NamedTuple

from builds.base import Builder
from builds.image import ImageBuilder
from builds.slug import SlugBuilder
from paas.clock import Clock
from paas.engines.base import Engine
from paas.engines.docker import DockerEngine
from paas.engines.docker.client import Daemon
from paas.engines.process import ProcessEngine
from paas.errors import EngineMismatchError, EngineUnavailableError, UnsupportedError
from paas.settings import EngineChoice, Settings
from paas.store.database import Store

log = logging.getLogger("mini")


class Equipment(NamedTuple):
    """What a control plane works with."""

    engine: Engine
    builder: Builder


async def settled_engine(store: Store, wanted: EngineChoice) -> EngineChoice:
    """Return the engine of this home, settled for good at the first start: `auto` takes docker where a daemon answers.

    Raises EngineMismatchError where another one is asked for later, UnsupportedError for one that is not there.
    """
    settled = store.meta.engine()
    if settled is None:
        choice = await _chosen(wanted)
        store.meta.settle_engine(choice)
        return choice
    if wanted not in (EngineChoice.AUTO, settled):
        raise EngineMismatchError(
            f"This home runs on the {settled} engine, settled at its first start. For the {wanted} engine start "
            "a server with another MINI_HOME and push your apps to it."
        )
    return settled


def equipment(choice: EngineChoice, settings: Settings, *, home_id: str, clock: Clock) -> Equipment:
    """Return the parts of a settled engine."""
    if choice is EngineChoice.DOCKER:
        docker = DockerEngine(settings, home_id=home_id, clock=clock)
        return Equipment(docker, ImageBuilder(settings, home_id=home_id))
    local = ProcessEngine(settings, home_id=home_id, clock=clock)
    return Equipment(local, SlugBuilder(settings, marks=local.marks))


async def _chosen(wanted: EngineChoice) -> EngineChoice:
    if wanted is EngineChoice.SWARM:
        raise UnsupportedError("This version has no swarm engine yet. Start with --engine docker or process.")
    if wanted is EngineChoice.PROCESS:
        return wanted
    daemon = Daemon()
    try:
        version = await daemon.version()
    except (EngineUnavailableError, UnsupportedError) as error:
        if wanted is EngineChoice.DOCKER:
            raise
        log.info("no Docker daemon answers: apps run as local processes", extra={"reason": error.message})
        return EngineChoice.PROCESS
    finally:
        daemon.close()
    log.info("a Docker daemon answers: apps run in containers", extra={"version": version.engine})
    return EngineChoice.DOCKER
