"""What an engine needs to start an instance, put together from the store. It starts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paas.domain.app import App
from paas.domain.instance import Instance, InstanceSpec
from paas.domain.release import Release
from paas.errors import ArtifactGoneError, InvalidError
from paas.store.database import Store
from paas.supervisor.environment import environment_of


@dataclass(frozen=True, slots=True)
class Launch:
    """One start: which instance of what, with which command."""

    app: App
    release: Release
    instance: Instance
    command: str
    extra: Mapping[str, str] | None = None
    """Variables of a one-off, on top of the config."""


def spec_of(store: Store, launch: Launch, *, output: Path, server: Mapping[str, str]) -> InstanceSpec:
    """Return the whole spec; `output` is the FIFO. Blocks: call it on a worker thread.

    Raises ArtifactGoneError where the release's artifact was pruned, NotFoundError where its config is unreadable.
    """
    release, instance = launch.release, launch.instance
    if release.build is None:
        raise InvalidError(f"{release.name} has no build: there is nothing to start. Push a commit first.")
    artifact = store.builds.get_by_id(release.build).artifact
    if artifact is None or release.commit is None:
        raise ArtifactGoneError(f"The artifact of {release.name} is gone. Push its commit again.")
    return InstanceSpec(
        id=instance.id,
        app=instance.app,
        app_name=launch.app.name,
        version=instance.version,
        commit=release.commit,
        type=instance.type,
        index=instance.index,
        command=launch.command,
        artifact=artifact,
        environment=environment_of(
            store.configs.get(release.config).variables,
            release,
            app=launch.app.name,
            id=instance.id,
            name=instance.name,
            port=instance.port,
            server=server,
            extra=launch.extra,
        ),
        port=instance.port,
        output=output,
    )


def command_of(release: Release, instance: Instance) -> str:
    """Return the Procfile's command for the instance's type; raises InvalidError where there is none."""
    commands = release.manifest.procfile.commands if release.manifest else {}
    command = commands.get(instance.type)
    if command is None:
        raise InvalidError(f"{release.name} has no process type {instance.type}.")
    return command
