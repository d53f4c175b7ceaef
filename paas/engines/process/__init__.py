"""The process engine: instances are local processes, each the leader of a session of its own."""

from paas.engines.process.engine import ProcessEngine

__all__ = ["ProcessEngine"]
