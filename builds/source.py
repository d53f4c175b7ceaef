"""The source of a build: one commit, read through git alone. What is asked for here is never looked up on disk."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from builds.export import export
from builds.git import Git
from builds.objects import Entry, ObjectReader
from builds.tree import MAX_BYTES, Tree, check_limits, tree_by
from paas.domain.ids import Commit
from paas.errors import BuildFailedError

MAX_DOCUMENT = 64 * 1024


class Source:
    """A commit whose tree is within the limits. Use it as a context manager, from one thread at a time."""

    def __init__(self, git: Git, commit: Commit) -> None:
        """Read and check the tree; raises BuildFailedError where it is refused."""
        self.commit = commit
        self._reader = ObjectReader(git)
        try:
            self.tree: Tree = tree_by(self._reader, commit)
            self.totals = check_limits(self.tree)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of git; what was read of it stays."""
        self._reader.close()

    def entry(self, path: str) -> Entry | None:
        """Return the entry at `path`, None where there is none."""
        return self.tree.find(path)

    def text(self, path: str, *, limit: int = MAX_DOCUMENT) -> str | None:
        """Return the text of a regular file, None where there is none.

        Raises BuildFailedError where it is a link or a folder, larger than `limit`, or no UTF-8.
        """
        entry = self.entry(path)
        if entry is None:
            return None
        if entry.is_link or entry.is_folder:
            kind = "symbolic link" if entry.is_link else "folder"
            raise BuildFailedError(
                f"{path} is a {kind}; it must be a regular file. Commit its content instead."
            )
        if self.tree.sizes[entry.id] > limit:
            raise BuildFailedError(f"{path} has {self.tree.sizes[entry.id]:,} bytes; {limit:,} is the limit.")
        content = self._reader.read(entry.id, limit=limit)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise BuildFailedError(f"{path} is not UTF-8 at byte {error.start}. Save it as UTF-8.") from error

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        """Yield the content of a file or the target of a link; read it to its end before anything else."""
        return self._reader.blocks(entry.id, limit=MAX_BYTES)

    def export(self, folder: Path, *, stop: Event) -> None:
        """Write the commit's files into `folder`, which must not exist (`builds.export`)."""
        export(self.tree, self._reader, folder, stop=stop)
