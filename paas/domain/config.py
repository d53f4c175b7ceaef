"""Config: an app's environment variables. A set is immutable; each release points to one."""

from collections.abc import Mapping
from dataclasses import dataclass

from paas.domain.ids import ConfigId
from paas.domain.names import ConfigKey, config_key
from paas.errors import InvalidError

VALUE_LIMIT = 64 * 1024
CONFIG_LIMIT = 256 * 1024
HIDDEN = "[hidden]"


class Secret:
    """A config value. It shows itself as `[hidden]` wherever it is printed or logged; `reveal()` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the value itself."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


Variables = Mapping[ConfigKey, Secret]


@dataclass(frozen=True, slots=True)
class ConfigSet:
    """One immutable set of variables."""

    id: ConfigId
    variables: Variables


def checked(values: Mapping[str, str]) -> dict[ConfigKey, Secret]:
    """Return `values` as variables; raises InvalidError for a bad name, a NUL, or a value or set over its limit."""
    variables: dict[ConfigKey, Secret] = {}
    for name, value in values.items():
        key = config_key(name)
        if "\0" in value:
            raise InvalidError(f"The value of {key} holds a NUL byte, which no environment can carry.")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise InvalidError(f"The value of {key} is not valid UTF-8 text.") from None
        if size > VALUE_LIMIT:
            raise InvalidError(
                f"The value of {key} is {size} bytes long; the limit is {VALUE_LIMIT} (64 KiB)."
            )
        variables[key] = Secret(value)
    return variables


def check_size(variables: Variables) -> None:
    """Raise InvalidError where a whole config is over its limit."""
    size = sum(len(key) + len(secret.reveal().encode()) + 2 for key, secret in variables.items())
    if size > CONFIG_LIMIT:
        raise InvalidError(
            f"The config would be {size} bytes long; the limit for an app is {CONFIG_LIMIT} (256 KiB)."
        )
