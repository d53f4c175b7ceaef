"""The parts of app.json that mini reads: `formation` and `healthchecks` as Dokku reads them, and `mini`.

Members that other platforms read (`name`, `env`, `addons` ...) are left alone; a mistake in one of ours is an error.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from paas.domain.names import ProcessType, process_type
from paas.domain.process import Check, CheckKind
from paas.errors import BuildFailedError, InvalidError

Json = Mapping[str, object]

_CHECK = frozenset(
    {"type", "name", "path", "content", "attempts", "timeout", "wait", "initialDelay", "listening"}
)
_DOKKU_ALONE = frozenset(
    {"command", "httpHeaders", "onFailure", "operator", "port", "scheme", "uptime", "warn"}
)


@dataclass(frozen=True, slots=True)
class AppJson:
    """What a commit's app.json asks for."""

    formation: Mapping[ProcessType, int] = field(default_factory=dict)
    checks: Mapping[ProcessType, tuple[Check, ...]] = field(default_factory=dict)
    auto_rollback: bool = True


def parse_app_json(text: str, *, max_instances: int) -> AppJson:
    """Return what it says; raises BuildFailedError naming the member that is wrong."""
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BuildFailedError(f"app.json is no JSON: {error}.") from error
    whole = _object(document, "app.json")
    return AppJson(
        formation={
            _type(name, "formation"): _quantity(entry, f"formation.{name}", max_instances)
            for name, entry in _member(whole, "formation").items()
        },
        checks={
            _type(name, "healthchecks"): _checks(entries, f"healthchecks.{name}")
            for name, entries in _member(whole, "healthchecks").items()
        },
        auto_rollback=_auto_rollback(_member(whole, "mini")),
    )


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise BuildFailedError(f"app.json: the member {name!r} is there twice. Remove one.")
    return dict(pairs)


def _quantity(value: object, where: str, limit: int) -> int:
    entry = _object(value, where)
    quantity = entry.get("quantity", 1)
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not 0 <= quantity <= limit:
        raise _wrong(f"{where}.quantity", f"a whole number from 0 to {limit}", quantity)
    return quantity


def _checks(value: object, where: str) -> tuple[Check, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "a list of checks", value)
    parsed = (_check(_object(entry, f"{where}[{at}]"), f"{where}[{at}]") for at, entry in enumerate(value))
    return tuple(check for check in parsed if check is not None)


def _check(entry: Json, where: str) -> Check | None:
    """Return the check; None for Dokku's `readiness`, which the router's own watch covers."""
    _refuse_unknown(entry, where)
    kind = entry.get("type", "startup")
    if kind not in ("startup", "liveness", "readiness"):
        raise _wrong(f"{where}.type", "startup, liveness or readiness", kind)
    path = _text(entry, "path", where)
    if path is not None and (not path.startswith("/") or any(ord(character) <= 32 for character in path)):
        raise _wrong(f"{where}.path", "a path such as /health", path)
    check = Check(
        kind=CheckKind.LIVENESS if kind == "liveness" else CheckKind.STARTUP,
        path=path,
        content=_text(entry, "content", where),
        attempts=int(_number(entry, "attempts", where, low=1, high=1000, default=3)),
        interval=_number(entry, "wait", where, low=0.1, high=3600, default=10 if kind == "liveness" else 1),
        timeout=_number(entry, "timeout", where, low=0.1, high=3600, default=2 if kind == "liveness" else 5),
        initial_delay=_number(entry, "initialDelay", where, low=0, high=3600, default=0),
    )
    return None if kind == "readiness" else check


def _refuse_unknown(entry: Json, where: str) -> None:
    for name in sorted(set(entry) - _CHECK):
        if name in _DOKKU_ALONE:
            message = f"app.json: {where}.{name} is not supported here; a check asks a `path`, or whether it listens."
        else:
            message = f"app.json: {where}.{name} is no member of a check. Remove it."
        raise BuildFailedError(message)


def _auto_rollback(entry: Json) -> bool:
    unknown = sorted(set(entry) - {"auto_rollback"})
    if unknown:
        raise BuildFailedError(f"app.json: mini.{unknown[0]} is unknown; mini.auto_rollback is all there is.")
    value = entry.get("auto_rollback", True)
    if not isinstance(value, bool):
        raise _wrong("mini.auto_rollback", "true or false", value)
    return value


def _number(entry: Json, name: str, where: str, *, low: float, high: float, default: float) -> float:
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(f"{where}.{name}", f"a number from {low:g} to {high:g}", value)
    return float(value)


def _text(entry: Json, name: str, where: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(f"{where}.{name}", "a text", value)
    return value


def _type(name: str, where: str) -> ProcessType:
    try:
        return process_type(name)
    except InvalidError as error:
        raise BuildFailedError(f"app.json: {where}: {error.message}") from error


def _member(document: Json, name: str) -> Json:
    return _object(document.get(name, {}), name)


def _object(value: object, where: str) -> Json:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    return value


def _wrong(where: str, expected: str, value: object) -> BuildFailedError:
    return BuildFailedError(f"app.json: {where} must be {expected}; got {json.dumps(value)[:80]}.")
