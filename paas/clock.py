"""Time, as a parameter: the wall clock for what people read, the monotonic one for every delay and deadline."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where components read time and wait for it."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC. It may jump: only shown and stored, never subtracted."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back and are shared by every process of one boot."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on the monotonic clock."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def rfc3339(moment: datetime) -> str:
    """Return `moment` as UTC RFC 3339 with microseconds, `2026-09-13T10:11:12.000000+00:00` (RFC 3339 §5.6)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
