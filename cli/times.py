"""Times as people read and write them. It never decides what `now` is."""

import re
from datetime import UTC, datetime, timedelta

from paas.errors import InvalidError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(s|m|h|d|)")


def parsed(text: str) -> datetime:
    """Return the moment of an RFC 3339 text of the API."""
    return datetime.fromisoformat(text)


def rfc3339(moment: datetime) -> str:
    """Return `moment` in UTC with microseconds, as every time of mini is written."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was, as `~ 2m ago`."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"~ {seconds // size}{unit} ago"
    return f"~ {seconds}s ago"


def shown(text: str, now: datetime) -> str:
    """Return a time of the API as `2026/09/13 10:11:12 +0000 (~ 2m ago)`."""
    moment = parsed(text).astimezone(UTC)
    return f"{moment:%Y/%m/%d %H:%M:%S %z} ({ago(moment, now)})"


def seconds(text: str, *, option: str) -> float:
    """Return the seconds that `90`, `90s`, `15m`, `2h` or `1d` stands for; raises InvalidError naming the option."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise InvalidError(f"{option} must be a duration such as 0, 90s, 15m or 2h; got {text!r}.")
    return float(match[1]) * _UNITS[match[2]]


def moment(text: str, now: datetime, *, option: str) -> datetime:
    """Return the moment that a duration before now, or an RFC 3339 time, stands for."""
    if _DURATION.fullmatch(text):
        try:
            return now - timedelta(seconds=seconds(text, option=option))
        except OverflowError:
            raise InvalidError(f"{option} goes further back than time itself; got {text!r}.") from None
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidError(
            f"{option} must be a duration such as 10m, or a time such as 2026-09-13T10:11:12Z; got {text!r}."
        ) from None
    return then if then.tzinfo else then.replace(tzinfo=UTC)
