"""The environment of an instance: its release's config and what the platform adds. Nothing else of the server's."""

from collections.abc import Mapping

from paas.domain.config import Variables
from paas.domain.ids import InstanceId
from paas.domain.names import AppName
from paas.domain.release import Release

_INHERITED = {"LANG": "C.UTF-8", "TZ": "UTC"}
"""What is taken from the server where it has it, and what it is otherwise."""


def environment_of(
    variables: Variables,
    release: Release,
    *,
    app: AppName,
    id: InstanceId,
    name: str,
    port: int | None,
    server: Mapping[str, str],
    extra: Mapping[str, str] | None = None,
) -> tuple[tuple[str, str], ...]:
    """Return every variable that the instance `name` gets, sorted; HOME and PATH are the engine's to add.

    Config may override the language, the time zone and the buffering, and `extra` (of a one-off) the config and the
    port; what tells an instance who it is cannot be overridden.
    """
    defaults = {key: server.get(key) or default for key, default in _INHERITED.items()}
    config = {str(key): secret.reveal() for key, secret in variables.items()}
    identity = {
        "PS": name,
        "MINI_INSTANCE_ID": str(id),
        "MINI_APP": str(app),
        "MINI_RELEASE": release.name,
        "MINI_COMMIT": str(release.commit or ""),
    }
    serving = {} if port is None else {"PORT": str(port)}
    merged = {**defaults, "PYTHONUNBUFFERED": "1", **config, **serving, **(extra or {}), **identity}
    return tuple(sorted(merged.items()))
