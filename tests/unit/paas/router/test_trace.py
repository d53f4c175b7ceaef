"""W3C Trace Context: a trace is passed on unchanged, or begun where a request brings no valid one."""

import re

import pytest

from paas.router.head import parse_request
from tests.unit.paas.router.harness import HOST, a_backend, a_router, answering, fields_of

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-00"


def trace_of(*lines: str) -> str:
    """Return what is passed on of the trace in a request with these lines."""
    fields = "".join(f"{line}\r\n" for line in lines)
    return parse_request(f"GET / HTTP/1.1\r\n{HOST.decode()}{fields}\r\n".encode()).trace.decode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(VALID, id="version 00"),
        pytest.param(f"00-{TRACE}-{PARENT}-ff", id="any flags"),
        pytest.param(f"cc-{TRACE}-{PARENT}-01", id="a later version"),
        pytest.param(f"cc-{TRACE}-{PARENT}-01-what comes after", id="a later version that goes on"),
    ],
)
def test_a_valid_parent_is_passed_on_unchanged(value: str) -> None:
    assert trace_of(f"TraceParent: \t{value} ") == f"\r\ntraceparent: {value}"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(f"00-{TRACE}-{PARENT}", id="no flags"),
        pytest.param(f"00-{TRACE}-{PARENT}-1", id="short flags"),
        pytest.param(f"00-{TRACE}-{PARENT}-01-", id="version 00 goes on"),
        pytest.param(f"cc-{TRACE}-{PARENT}-01.more", id="a later version without its dash"),
        pytest.param(f"ff-{TRACE}-{PARENT}-01", id="version ff"),
        pytest.param(f"0-{TRACE}-{PARENT}-01", id="short version"),
        pytest.param(f"00-{'0' * 32}-{PARENT}-01", id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no parent"),
        pytest.param(f"00-{TRACE.upper()}-{PARENT}-01", id="upper case"),
        pytest.param(f"00-{TRACE}0-{PARENT}-01", id="long trace"),
        pytest.param(f"00_{TRACE}-{PARENT}-01", id="no dash"),
        pytest.param(f"{VALID}, {VALID}", id="two in one field"),
    ],
)
def test_an_invalid_parent_is_dropped_with_its_state(value: str) -> None:
    assert trace_of(f"traceparent: {value}", "tracestate: a=b") == ""


def test_states_follow_their_parent_in_order() -> None:
    lines = ("tracestate: a=b", f"traceparent: {VALID}", "TraceState: c=d,e=f")
    assert trace_of(*lines) == f"\r\ntraceparent: {VALID}\r\ntracestate: a=b\r\ntracestate: c=d,e=f"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([f"traceparent: {VALID}"] * 2, "", id="two parents"),
        pytest.param(["tracestate: a=b"], "", id="a state alone"),
        pytest.param([f"traceparent: {VALID}", "Connection: traceparent"], "", id="a parent of one hop"),
        pytest.param(
            [f"traceparent: {VALID}", "tracestate: a=b", "Connection: tracestate"],
            f"\r\ntraceparent: {VALID}",
            id="a state of one hop",
        ),
    ],
)
def test_what_has_no_one_meaning_is_no_trace(lines: list[str], expected: str) -> None:
    assert trace_of(*lines) == expected


@pytest.mark.parametrize("method", ["GET", "POST"], ids=["a kept connection", "a fresh connection"])
async def test_a_request_without_a_trace_begins_one_that_its_log_line_names(method: str) -> None:
    seen: list[bytes] = []
    async with a_router() as router, a_backend(answering(seen=seen)) as address:
        router.route(address)
        for _ in range(2):
            await router.ask(
                f"{method} / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n".encode()
            )
    ids = [re.search("request_id=([0-9a-f]{32}) ", line) for line in router.lines.texts]
    for id, head in zip(ids, seen, strict=True):
        assert id
        assert fields_of(head)["traceparent"] == f"00-{id[1]}-{id[1][16:]}-01"
        assert fields_of(head)["x-request-id"] == id[1]


async def test_a_clients_own_request_id_is_no_trace() -> None:
    seen: list[bytes] = []
    mine = "a" * 32
    async with a_router() as router, a_backend(answering(seen=seen)) as address:
        router.route(address)
        for _ in range(2):
            await router.get(lines=f"X-Request-ID: {mine}\r\n".encode())
    begun = [fields_of(head)["traceparent"] for head in seen]
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace) for trace in begun)
    assert mine not in "".join(begun)
    assert begun[0] != begun[1]


async def test_a_trace_reaches_the_backend_with_its_state() -> None:
    seen: list[bytes] = []
    async with a_router() as router, a_backend(answering(seen=seen)) as address:
        router.route(address)
        for _ in range(2):
            await router.get(lines=f"traceparent: {VALID}\r\ntracestate: a=b\r\n".encode())
    for head in seen:
        assert (fields_of(head)["traceparent"], fields_of(head)["tracestate"]) == (VALID, "a=b")
