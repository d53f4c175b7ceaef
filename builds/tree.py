"""A commit's tree: read once, each folder once however often it occurs, and counted before a byte is written.

A pack of 906 bytes can name 10 000 000 000 files; nothing here walks the tree as it would be on disk until
`check_limits` has passed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builds.git import Git
from builds.objects import Entry, ObjectReader, blob_sizes, parse_tree
from paas.errors import BuildFailedError

MAX_BYTES = 1024**3
MAX_FILES = 100_000
MAX_DEPTH = 64
MAX_PATH = 4096
MAX_TREE_OBJECT = 32 * 1024 * 1024

_TREE_OF = re.compile(rb"tree ([0-9a-f]{40}|[0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True)
class Tree:
    """The folders of one commit by their object id, and the size of every file by its id."""

    root: str
    folders: Mapping[str, tuple[Entry, ...]]
    sizes: Mapping[str, int]

    def find(self, path: str) -> Entry | None:
        """Return the entry at `path`, None where there is none; symbolic links are not followed."""
        here, entry = self.root, None
        for part in path.split("/"):
            name = part.encode()
            entry = next((each for each in self.folders.get(here, ()) if each.name == name), None)
            if entry is None:
                return None
            here = entry.id
        return entry

    def walk(self) -> Iterator[tuple[bytes, Entry]]:
        """Yield every entry with its path, folders before what is in them. Call it after `check_limits`."""
        waiting = [(b"", self.root)]
        while waiting:
            folder, id = waiting.pop()
            for entry in self.folders[id]:
                path = folder + entry.name
                yield path, entry
                if entry.is_folder:
                    waiting.append((path + b"/", entry.id))


@dataclass(frozen=True, slots=True)
class Totals:
    """What a tree would be on disk."""

    files: int
    bytes: int
    longest_path: int


def read_tree(git: Git, commit: str) -> Tree:
    """Return the tree of a commit; raises BuildFailedError where its shape alone is refused."""
    with ObjectReader(git) as reader:
        return tree_by(reader, commit)


def tree_by(reader: ObjectReader, commit: str) -> Tree:
    """Return the same, read by a reader that is still wanted."""
    # Started before there is anything to ask it: it becomes ready while the folders are read.
    with reader.git.start("cat-file", "--batch-check") as sizer:
        root = _root(reader, commit)
        folders = _read_folders(reader, root)
        files = {entry.id for entries in folders.values() for entry in entries if not entry.is_folder}
        return Tree(root, folders, blob_sizes(reader.git, sizer, sorted(files)))


def measure(tree: Tree) -> Totals:
    """Return the totals, each folder counted once and multiplied by how often it occurs."""
    known: dict[str, Totals] = {}

    def total(id: str) -> Totals:
        if id not in known:
            known[id] = _sum(
                [(entry, total(entry.id) if entry.is_folder else None) for entry in tree.folders[id]]
            )
        return known[id]

    def _sum(parts: list[tuple[Entry, Totals | None]]) -> Totals:
        files = sum(inner.files if inner else 1 for _, inner in parts)
        size = sum(inner.bytes if inner else tree.sizes[entry.id] for entry, inner in parts)
        longest = max(
            (len(entry.name) + (1 + inner.longest_path if inner else 0) for entry, inner in parts), default=0
        )
        return Totals(files, size, longest)

    return total(tree.root)


def check_limits(tree: Tree) -> Totals:
    """Return the totals of a tree that may be built; raises BuildFailedError naming the limit that it breaks."""
    totals = measure(tree)
    if totals.files > MAX_FILES:
        raise BuildFailedError(
            f"The commit has {totals.files:,} files; {MAX_FILES:,} is the limit. Remove some."
        )
    if totals.bytes > MAX_BYTES:
        size = f"{totals.bytes:,} bytes of files"
        raise BuildFailedError(
            f"The commit has {size}; 1 GiB is the limit. Keep large files in a backing service."
        )
    if totals.longest_path > MAX_PATH:
        raise BuildFailedError(
            f"The commit has a path of {totals.longest_path:,} bytes; {MAX_PATH:,} is the limit."
        )
    return totals


def _root(reader: ObjectReader, commit: str) -> str:
    found = _TREE_OF.match(reader.read(commit, limit=MAX_TREE_OBJECT))
    if found is None:
        raise BuildFailedError(
            f"{commit[:7]} is no commit. Of a tag, push the commit that it names: git push mini 'TAG^{{commit}}:main'."
        )
    return found[1].decode()


def _read_folders(reader: ObjectReader, root: str) -> dict[str, tuple[Entry, ...]]:
    """Read level by level: a folder below the depth limit is never asked for, and none is read twice."""
    folders: dict[str, tuple[Entry, ...]] = {}
    level, files = {root: b""}, 0
    for _ in range(MAX_DEPTH):
        below: dict[str, bytes] = {}
        for id, path in level.items():
            if id not in folders:
                folders[id] = _read_folder(reader, id, path)
                files += sum(not entry.is_folder for entry in folders[id])
            below |= {entry.id: path + entry.name + b"/" for entry in folders[id] if entry.is_folder}
            if files > MAX_FILES or len(folders) > MAX_FILES:
                raise BuildFailedError(
                    f"The commit has more than {MAX_FILES:,} files; that is the limit. Remove some."
                )
        if not below:
            return folders
        level = below
    raise BuildFailedError(
        f"The commit has folders more than {MAX_DEPTH} deep; that is the limit. Flatten them."
    )


def _read_folder(reader: ObjectReader, id: str, path: bytes) -> tuple[Entry, ...]:
    content = reader.read(id, limit=MAX_TREE_OBJECT)
    try:
        entries = tuple(parse_tree(content, id_bytes=len(id) // 2))
    except ValueError as error:
        raise BuildFailedError(
            f"The commit has a broken folder object, {id}. Make the commit again."
        ) from error
    for entry in entries:
        shown = (path + entry.name).decode(errors="replace")
        if entry.name in (b"", b".", b"..") or b"/" in entry.name or entry.name.lower() == b".git":
            raise BuildFailedError(
                f"The commit has a file named {shown!r}, which no work tree may have. Remove it."
            )
        if entry.is_submodule:
            raise BuildFailedError(
                f"{shown} is a submodule, and mini builds from one repository alone: it fetches no other. "
                "Commit the files themselves (git subtree add), or depend on it as a package."
            )
    return entries
