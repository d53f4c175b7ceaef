"""The journal of instances: each change of state as an event and as a line in the app's log. It changes nothing."""

from collections.abc import Callable

from paas.domain.event import EventKind
from paas.domain.instance import Instance
from paas.store.database import Store
from paas.supervisor.ports import Lines
from paas.threads import in_thread

ACTOR = "mini"


class Journal:
    """Writes what became of instances where users look for it."""

    def __init__(self, store: Store, lines: Lines) -> None:
        self._store, self._lines = store, lines

    def say(self, instance: Instance, text: str) -> None:
        """Add a line of the platform's own about `instance` to its app's log."""
        self._lines.say(instance.app, instance.name, text, version=instance.version)

    def starts(self, instance: Instance, command: str, *, actor: str | None = None) -> None:
        """Say what `instance` is about to be started with: before its first line, which may come at once."""
        what = f"command `{command}`" if command else "the image's CMD"
        self.say(instance, f"Starting process with {what}" + (f" by {actor}" if actor else ""))

    def changed(self, instance: Instance, *, old: str, new: str) -> None:
        """Say that `instance` has changed its state."""
        self.say(instance, f"State changed from {old} to {new}")

    async def record(
        self, kind: EventKind, change: Callable[[], Instance], *, cause: str, actor: str = ACTOR
    ) -> Instance:
        """Return the instance that `change` makes of one in the store, with the event that tells of it: both are kept,
        or neither. Raises what the store raises."""
        return await in_thread(self._record, kind, change, cause, actor)

    def _record(self, kind: EventKind, change: Callable[[], Instance], cause: str, actor: str) -> Instance:
        with self._store.transaction():
            instance = change()
            details: dict[str, str | int] = {
                "instance": instance.name,
                "id": instance.id,
                "version": instance.version,
            }
            if instance.exit is not None:
                details["exit"] = str(instance.exit)
            self._store.events.append(kind, app=instance.app, actor=actor, cause=cause, details=details)
        return instance
