"""What an operator asked of an app's traffic, beside its routes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrafficRule:
    """The rule of one app; without one, requests are balanced and answered."""

    maintenance: bool = False
    """Every request gets a page that says so."""
    sticky: bool = False
    """A browser stays with the backend that answered it first, as long as that one is there."""
