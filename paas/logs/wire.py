"""What the control plane and the log plane say to each other: one JSON object per line over a unix socket.

A request is `{"id": 1, "op": "collect", …}` and is answered by `{"id": 1}`, or by `{"id": 1, "error": SENTENCE}`.
Between answers the log plane says `{"lines": {APP: SEQUENCE}}` of the apps that are followed: how far their logs have
come. It sends no lines: who follows reads them from the segments, as slowly as he likes.
"""

import json

PROTOCOL = 2
"""Rises when the messages, the segments or the spools take another form."""

MESSAGE_LIMIT = 64 * 1024

Message = dict[str, str | int | dict[str, int]]


def encode(message: Message) -> bytes:
    """Return `message` as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line; raises ValueError for what is none."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("A message is a JSON object.")  # noqa: TRY004 - the same error as for what is no JSON
    return message


def text(message: Message, key: str) -> str:
    """Return a text of `message`; raises ValueError where there is none."""
    value = message.get(key)
    if not isinstance(value, str):
        raise ValueError(f"The message has no text {key!r}.")  # noqa: TRY004 - as above
    return value


def number(message: Message, key: str) -> int:
    """Return a number of `message`; raises ValueError where there is none."""
    value = message.get(key)
    if not isinstance(value, int):
        raise ValueError(f"The message has no number {key!r}.")  # noqa: TRY004 - as above
    return value
