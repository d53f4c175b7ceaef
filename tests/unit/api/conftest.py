"""The stage of the releases' own tests: a real store and deployer."""

from tests.unit.releases.conftest import clock, stage

__all__ = ["clock", "stage"]
