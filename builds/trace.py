"""What BuildKit tells of a build under way: its steps, what they print, what they fetch. It says nothing to anybody."""

from collections.abc import Iterator
from dataclasses import dataclass

from builds.protobuf import Value, decode, text_of


@dataclass(frozen=True, slots=True)
class Vertex:
    """One step as it is by now: a command, a copy, or work of BuildKit's own, whose name says so."""

    digest: str
    name: str
    cached: bool = False
    started: bool = False
    completed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Printed:
    """A piece of what a step's command has printed, which may begin and end anywhere."""

    vertex: str
    stream: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    """One report: what has changed since the one before."""

    vertexes: tuple[Vertex, ...] = ()
    printed: tuple[Printed, ...] = ()


def read_trace(message: bytes) -> Trace:
    """Return what a `moby.buildkit.v1.StatusResponse` says; raises WireError where it is none."""
    fields = list(decode(message))
    return Trace(
        tuple(_vertex(value) for value in _messages(fields, 1)),
        tuple(_printed(value) for value in _messages(fields, 3)),
    )


def _vertex(message: bytes) -> Vertex:
    fields = dict(decode(message))
    return Vertex(
        digest=text_of(fields.get(1)),
        name=text_of(fields.get(3)),
        cached=bool(fields.get(4)),
        started=5 in fields,
        completed=6 in fields,
        error=text_of(fields.get(7)),
    )


def _printed(message: bytes) -> Printed:
    fields = dict(decode(message))
    stream, text = fields.get(3, 0), fields.get(4, b"")
    return Printed(
        text_of(fields.get(1)),
        stream=stream if isinstance(stream, int) else 0,
        message=text if isinstance(text, bytes) else b"",
    )


def _messages(fields: list[tuple[int, Value]], number: int) -> Iterator[bytes]:
    return (value for found, value in fields if found == number and isinstance(value, bytes))
