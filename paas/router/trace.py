"""W3C Trace Context: the trace that a request belongs to is passed on as it came, or begun here. It records none.

A trace begun here is marked as sampled: apps that follow the mark of their caller, which is what OpenTelemetry does
unless told otherwise, would record nothing of it else.
"""

import re

TRACE_NAMES = rb"traceparent|tracestate"

_IDS = rb"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
# A later version may go on after what this one knows; `ff` is none.
_PARENT = re.compile(rb"00" + _IDS + rb"|(?!00|ff)[0-9a-f]{2}" + _IDS + rb"(?:-[\x20-\x7e]*+)?")

BEGUN = b"\r\ntraceparent: 00-"
"""Before the id of a trace that begins here …"""
BEGUN_END = b"-01"
"""… and after its parent's id …"""
PARENT = slice(16, 32)
"""… which is a part of its own."""


def passed_on(parents: list[bytes], states: list[bytes]) -> bytes:
    """Return the lines of a trace for the next hop, each with CRLF before it; none where it has no valid parent."""
    if len(parents) != 1 or not _PARENT.fullmatch(parents[0]):
        return b""  # A state without its parent means nothing.
    return b"\r\ntraceparent: " + parents[0] + b"".join(b"\r\ntracestate: " + state for state in states)


def begun(trace_id: bytes) -> bytes:
    """Return the line of a trace that begins here; its id are 32 hexadecimal digits."""
    return BEGUN + trace_id + b"-" + trace_id[PARENT] + BEGUN_END
