"""What every connection of one router process shares."""

import os
from dataclasses import dataclass, field

from paas.router.access_log import AccessLog
from paas.router.balancer import Balancer
from paas.router.limits import Limits
from paas.router.loop import RouterLoop
from paas.router.metrics import AppMetrics


@dataclass(slots=True)
class Context:
    """The router's parts, as its connections see them."""

    loop: RouterLoop
    limits: Limits
    balancer: Balancer
    log: AccessLog
    unrouted: AppMetrics = field(default_factory=AppMetrics)
    """Counts what belongs to no app: unknown hosts, and what was no request at all."""
    stopping: bool = False
    """Set once the process is to end: every answer then closes its connection."""


def new_request_id() -> bytes:
    """Return a fresh request id."""
    return os.urandom(16).hex().encode("ascii")
