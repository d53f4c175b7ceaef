"""What the planes print of themselves."""

import logging

from paas.server_log import FieldFormatter


def printed(message: str, **fields: object) -> str:
    """Return what a warning with those fields prints."""
    record = logging.makeLogRecord({"levelname": "WARNING", "msg": message, **fields})
    return FieldFormatter("%(levelname)s %(message)s").format(record)


def test_the_values_of_a_message_stand_behind_it() -> None:
    assert printed("not kept", reason="disk full", number=3) == "WARNING not kept reason='disk full' number=3"


def test_a_message_without_values_is_left_as_it_is() -> None:
    assert printed("ready") == "WARNING ready"


def test_a_value_never_begins_a_line_or_commands_a_terminal() -> None:
    assert printed("failed", error="a\n\x1b]0;b") == "WARNING failed error='a\\n\\x1b]0;b'"
