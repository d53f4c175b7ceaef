"""Log lines, and which of them a reader wants."""

import re
from dataclasses import dataclass
from datetime import datetime

LINE_LIMIT = 64 * 1024
"""Longest line in bytes; a longer one is split into several."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of an app. `sequence` rises by one with each line of the app: a cursor to resume from.

    `source` is `app` for what instances print and `mini` for what the platform says of the app;
    `instance` is `web.1`, or `router` for the router's lines; `version` is 0 where no release is meant.
    """

    sequence: int
    at: datetime
    source: str
    instance: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines a reader wants; every part that is None lets all pass."""

    source: str | None = None
    instance: str | None = None
    """A process type (`web`) or an instance (`web.1`)."""
    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    pattern: re.Pattern[str] | None = None

    def matches(self, line: LogLine) -> bool:
        """Return whether `line` is wanted."""
        return (
            (self.source is None or line.source == self.source)
            and (self.instance is None or self.instance in (line.instance, line.instance.partition(".")[0]))
            and (self.version is None or line.version == self.version)
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at <= self.until)
            and (self.pattern is None or self.pattern.search(line.text) is not None)
        )
