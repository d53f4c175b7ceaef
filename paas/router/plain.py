"""Heads that look like most: judged, and taken apart, by one expression. What it says of a head is what `head` says of
it step by step; a head that it does not know may still be a good one.
"""

import re

from paas.router.head import HEAD_LIMIT, REQUEST_NAMES, RESPONSE_NAMES, TEXT, TOKEN, RequestHead, ResponseHead


def _others(names: bytes) -> bytes:
    """Return the pattern of lines with other names than these: by their first letters, most are told apart at once."""
    rests: dict[bytes, list[bytes]] = {}
    for name in re.split(rb"\|(?![^(]*\))", names):
        rests.setdefault(name[:1], []).append(name[1:])
    initials = b"".join(initial + initial.upper() for initial in rests)
    harmless = b"".join(c for c in _TOKEN_CHARACTERS if c not in initials)
    firsts = [b"[" + re.escape(harmless) + b"]"]
    firsts += [
        b"[" + initial + initial.upper() + b"](?!(?i:" + b"|".join(rest) + b"):)"
        for initial, rest in rests.items()
    ]
    return rb"((?:\r\n(?:" + b"|".join(firsts) + rb")" + TOKEN + rb"*+:" + TEXT + rb"*+)*+)"


_TOKEN_CHARACTERS = [bytes((code,)) for code in range(128) if re.match(TOKEN, bytes((code,)))]
_PLAIN_REQUEST = re.compile(
    rb"GET (/[\x21\x22\x24-\x7e]*+) HTTP/1\.1"
    + _others(REQUEST_NAMES)
    + rb"\r\n[Hh]ost: ([A-Za-z0-9._~-]{1,255}+(?::[0-9]{0,5}+)?+)"
    + _others(REQUEST_NAMES)
    + rb"(?:\r\n[Cc]onnection: ([Kk]eep-[Aa]live|[Cc]lose))?+"
    + _others(REQUEST_NAMES)
    + rb"\r\n\r\n"
)
_PLAIN_RESPONSE = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9]{2}(?: "
    + TEXT
    + rb"*+)?+)"
    + _others(RESPONSE_NAMES)
    + rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,18}+)"
    + _others(RESPONSE_NAMES)
    + rb"(?:\r\n[Cc]onnection: [Kk]eep-[Aa]live)?+"
    + _others(RESPONSE_NAMES)
    + rb"\r\n\r\n"
)


def plain_request(data: bytes) -> RequestHead | None:
    """Return the request that `data` is, head to end, where it is a plain one that reads in one pass; else None."""
    match = _PLAIN_REQUEST.fullmatch(data)
    if match is None or len(data) > HEAD_LIMIT:
        return None
    target, first, host, second, option, third = match.groups()
    keep_alive = option is None or option[0] in b"kK"
    # Not by its constructor, which costs as much as the rest.
    return tuple.__new__(
        RequestHead,
        (
            b"GET",
            target,
            host,
            1,
            first + second + third,
            None,
            False,
            keep_alive,
            False,
            b"",
            b"",
            b"",
            True,
        ),
    )


def plain_response(block: bytes) -> ResponseHead | None:
    """Return the response of a whole head, where it reads in one pass; else None."""
    match = _PLAIN_RESPONSE.fullmatch(block)
    if match is None or len(block) > HEAD_LIMIT:
        return None
    status_line, first, length, second, third = match.groups()
    return tuple.__new__(
        ResponseHead,
        (int(status_line[:3]), status_line, first + second + third, int(length), False, True, b""),
    )
