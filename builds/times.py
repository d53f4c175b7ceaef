"""When each file of an app changed last, as far as its builds have seen: what they tell Docker as the file's time.

BuildKit keeps the folder that it was sent last, and takes a file of the same time, size and mode for the same. A file
that is as it was in the build before keeps its time and need not be sent again. A changed one gets the time of the
build that first had it, which no other build has, so that two contents never share one. It reads no commit.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Self

Known = Mapping[str, tuple[str, int]]
"""An object's id and a time, by the path of the file."""


class Times:
    """The times of one build, which has begun at `now`, in nanoseconds, unlike any other of its app."""

    def __init__(self, known: Known, *, now: int) -> None:
        self.now = now
        self._known = known
        self._told: dict[str, tuple[str, int]] = {}

    @classmethod
    def read(cls, path: Path, *, now: int) -> Self:
        """Return the times after the build that was saved last; where there is none, all files have changed."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            return cls(
                {name: (str(id), int(time)) for name, (id, time) in json.loads(path.read_text()).items()},
                now=now,
            )
        return cls({}, now=now)

    def of(self, path: bytes, id: str) -> int:
        """Return the time of a file whose content has this object id."""
        name = path.decode(errors="surrogateescape")
        known = self._known.get(name)
        self._told[name] = known if known is not None and known[0] == id else (id, self.now)
        return self._told[name][1]

    def save(self, path: Path) -> None:
        """Remember what was told, for the builds to come; a disk that takes no more costs them time alone."""
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, unfinished = mkstemp(dir=path.parent.parent)
            try:
                with os.fdopen(descriptor, "w") as file:
                    json.dump(self._told, file)
                Path(unfinished).replace(path)
            except OSError:
                Path(unfinished).unlink(missing_ok=True)
                raise
