"""Changes of an app's config: which variables are set and unset, and how the release is described. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paas.domain.config import Secret, Variables, check_size, checked
from paas.domain.names import ConfigKey, config_key

OWN = frozenset({"PORT", "PS", "MINI_INSTANCE_ID", "MINI_APP", "MINI_RELEASE", "MINI_COMMIT"})
"""Variables that mini gives to instances itself: PORT to those of web and to one-offs, the others to each."""


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """What a user asked for, valid in itself: None unsets a variable."""

    wanted: Mapping[ConfigKey, Secret | None]

    @classmethod
    def checked(cls, changes: Mapping[str, str | None]) -> "ConfigChanges":
        """Return `changes`, valid; raises InvalidError for a bad name or value, without showing the value."""
        values = checked({key: value for key, value in changes.items() if value is not None})
        return cls({key: values.get(key) for key in map(config_key, changes)})

    @property
    def without_effect(self) -> list[str]:
        """The names of variables that are set here, and that an instance gets from mini instead."""
        return sorted(key for key, secret in self.wanted.items() if secret is not None and key in OWN)

    def applied_to(self, before: Variables) -> "NewConfig | None":
        """Return the config that follows from `before`, None where nothing differs; raises InvalidError where it
        would be too large."""
        different = {key: secret for key, secret in self.wanted.items() if before.get(key) != secret}
        if not different:
            return None
        after = {key: secret for key, secret in {**before, **different}.items() if secret is not None}
        check_size(after)
        return NewConfig(after, description=_described(different))


@dataclass(frozen=True, slots=True)
class NewConfig:
    """A config that differs from the one before it."""

    variables: Variables
    description: str
    """`Set A, B config vars`: names only, never a value."""


def _described(different: Mapping[ConfigKey, Secret | None]) -> str:
    parts = (
        _named("Set", (key for key, secret in different.items() if secret is not None)),
        _named("Remove", (key for key, secret in different.items() if secret is None)),
    )
    return ", ".join(part for part in parts if part)


def _named(verb: str, keys: Iterable[ConfigKey]) -> str:
    names = sorted(keys)
    if not names:
        return ""
    return f"{verb} {', '.join(names)} config var{'s' if len(names) > 1 else ''}"
