"""The build context: exactly a commit's files, made from git objects, in the order in which a folder is sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from builds.dockerignore import parse_dockerignore
from builds.export import refuse_pointer
from builds.filesync import Item, file_of, folder_of, link_of
from builds.objects import Entry
from builds.source import Source
from builds.times import Times

DOCKERFILE = "Dockerfile"
"""The name of the Dockerfile to build by, in a folder of its own: what a commit has by this name is not in its way."""

_IGNORE = ".dockerignore"


@dataclass(frozen=True, slots=True)
class Context:
    """What is sent to Docker: the text of a Dockerfile, and the commit's files but what `.dockerignore` and `without`
    name."""

    dockerfile: str
    without: tuple[str, ...] = ()

    def recipe(self, times: Times) -> Iterator[Item]:
        """Yield the Dockerfile, all that is in its folder."""
        content = self.dockerfile.encode()
        yield file_of(DOCKERFILE.encode(), len(content), lambda: iter((content,)), modified=times.now)

    def files(self, source: Source, times: Times) -> Iterator[Item]:
        """Yield the commit's files, each after its folders. What they contain is read when they are sent, which raises
        BuildFailedError for a file that may not be."""
        written = source.text(_IGNORE)
        ignore = parse_dockerignore("\n".join([written or "", *self.without]))
        sent: set[bytes] = set()
        for path, entry in sorted(source.tree.walk(), key=lambda found: found[0].split(b"/")):
            if not ignore.excludes(path.decode(errors="surrogateescape")):
                for folder in _folders(path):
                    if folder not in sent:  # one that is ignored itself may have files that are not
                        sent.add(folder)
                        yield folder_of(folder, modified=times.now)
                if entry.is_folder:
                    sent.add(path)
                yield _item(source, path, entry, times)


def _folders(path: bytes) -> Iterator[bytes]:
    parts = path.split(b"/")
    return (b"/".join(parts[:depth]) for depth in range(1, len(parts)))


def _item(source: Source, path: bytes, entry: Entry, times: Times) -> Item:
    if entry.is_folder:
        return folder_of(path, modified=times.now)
    modified = times.of(path, entry.id)
    if entry.is_link:
        return link_of(path, b"".join(source.blocks(entry)), modified=modified)
    size = source.tree.sizes[entry.id]
    return file_of(
        path,
        size,
        lambda: _blocks(source, path, entry, size=size),
        modified=modified,
        executable=entry.is_executable,
    )


def _blocks(source: Source, path: bytes, entry: Entry, *, size: int) -> Iterator[bytes]:
    for block in source.blocks(entry):
        refuse_pointer(block, path, size=size)
        yield block
