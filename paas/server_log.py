"""What the planes say of themselves, on stderr: a constant message, and its values behind it as fields. No handler of
an app's lines is here."""

import logging
import sys

_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has, or a formatter gives it: all else came as `extra`."""


class FieldFormatter(logging.Formatter):
    """Writes `extra` behind the message, as `reason='the disk is full' app='shop'`; a line break never ends it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        fields = [f"{name}={value!r}" for name, value in vars(record).items() if name not in _OWN]
        return " ".join([super().formatMessage(record), *fields])


def say_on_stderr() -> None:
    """Let this process print what it logs. Called once, by an entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter(_FORM))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
