"""What BuildKit tells, as Docker 20.10 passed it on."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from builds.protobuf import WireError, encode
from builds.trace import Printed, Trace, Vertex, read_trace

PRINTED = (
    "GmYKR3NoYTI1Njo3OTI5MjRhNjBiMTU1NGVjMGZiMTgxZmVhOGVhMjc0ZjFkYWVlMTY5Y2Y1YzdiMjg3NzZjYTI1Mjk0MWMxYjFiEgsIgKSe"
    "2AYQhprzeRgBIgxoZWxsbwpubyBlbmQ="
)
FAILED = (
    "CtACCkdzaGEyNTY6NzkyOTI0YTYwYjE1NTRlYzBmYjE4MWZlYThlYTI3NGYxZGFlZTE2OWNmNWM3YjI4Nzc2Y2EyNTI5NDFjMWIxYhJHc2hh"
    "MjU2OjI0NzFmMWM3N2U5NTgzNjYwOGQ1MjE3ZDkyYTAxOGVmMDNmZWExYTY4NTcxNjAwNjFhOWU2ZTI1OTE5YzAwZGUaO1szLzNdIFJVTiBl"
    "Y2hvIGhlbGxvOyBlY2hvIG9kZCA+JjI7IHByaW50ZiAibm8gZW5kIjsgZXhpdCAzKgsIgKSe2AYQ3sifEzIMCICkntgGEM3erYUBOmRleGVj"
    "dXRvciBmYWlsZWQgcnVubmluZyBbL2Jpbi9zaCAtYyBlY2hvIGhlbGxvOyBlY2hvIG9kZCA+JjI7IHByaW50ZiAibm8gZW5kIjsgZXhpdCAz"
    "XTogZXhpdCBjb2RlOiAz"
)
STEP = '[3/3] RUN echo hello; echo odd >&2; printf "no end"; exit 3'


def test_what_a_step_prints_is_told_with_the_stream_that_it_came_by() -> None:
    trace = read_trace(base64.b64decode(PRINTED))
    assert trace.vertexes == ()
    assert (1, b"hello\nno end") in [(each.stream, each.message) for each in trace.printed]
    assert len({each.vertex for each in trace.printed}) == 1


def test_a_step_that_failed_says_why() -> None:
    (vertex,) = read_trace(base64.b64decode(FAILED)).vertexes
    assert vertex.name == STEP
    assert vertex.error.startswith("executor failed running")
    assert vertex.error.endswith("exit code: 3")
    assert (vertex.started, vertex.completed, vertex.cached) == (True, True, False)


def test_what_is_not_known_is_passed_over() -> None:
    vertex = encode((1, b"sha256:1"), (3, b"[1/1] FROM x"), (4, 1), (8, b"a group"))
    printed = encode((1, b"sha256:1"), (3, 2), (4, b"x"), (9, 1))
    assert read_trace(encode((1, vertex), (2, b"a status"), (3, printed), (4, b"a warning"))) == Trace(
        (Vertex("sha256:1", "[1/1] FROM x", cached=True),), (Printed("sha256:1", stream=2, message=b"x"),)
    )


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        assert isinstance(read_trace(message), Trace)
    except WireError:
        return
