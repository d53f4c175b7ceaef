"""The docker engine: instances are containers of a Docker daemon on this machine, one container each."""

from paas.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
