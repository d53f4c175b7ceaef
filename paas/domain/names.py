"""The names users choose, checked as whole strings; raises InvalidError with the rule in the sentence."""

import re
from typing import NewType

from paas.errors import InvalidError

AppName = NewType("AppName", str)
ProcessType = NewType("ProcessType", str)
ConfigKey = NewType("ConfigKey", str)

WEB = ProcessType("web")
RELEASE = ProcessType("release")
RUN = ProcessType("run")
"""The type that one-offs are shown under: `run.1`."""

_APP = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def app_name(text: str) -> AppName:
    """Return `text` as an app's name."""
    if not _APP.fullmatch(text) or "--" in text:
        raise InvalidError(
            f"{text!r} is no app name: 2 to 30 of a-z, 0-9 and single -, beginning with a letter "
            "and ending with a letter or digit."
        )
    return AppName(text)


def process_type(text: str) -> ProcessType:
    """Return `text` as a process type."""
    if not _TYPE.fullmatch(text):
        raise InvalidError(
            f"{text!r} is no process type: 1 to 63 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit."
        )
    return ProcessType(text)


def config_key(text: str) -> ConfigKey:
    """Return `text` as the name of a config variable."""
    if not _KEY.fullmatch(text):
        raise InvalidError(f"{text!r} is no config name: letters, digits and _, not beginning with a digit.")
    return ConfigKey(text)


def host_name(text: str) -> str:
    """Return `text` as a lower-case host name, `*.` allowed in front (RFC 1123 §2.1 labels)."""
    host = text.lower().rstrip(".")
    labels = host.removeprefix("*.").split(".")
    if len(host) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise InvalidError(
            f"{text!r} is no host name: letters, digits and - between dots, such as shop.example.com."
        )
    return host
