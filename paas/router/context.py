"""What every connection of one router process shares."""

import time
from dataclasses import dataclass, field

from paas.router.access_log import AccessLog
from paas.router.balancer import Balancer
from paas.router.deadline import Deadlines
from paas.router.forward import request_end
from paas.router.limits import Limits
from paas.router.loop import RouterLoop
from paas.router.metrics import Metrics
from paas.router.request_id import RequestIds


@dataclass(slots=True)
class Context:
    """The router's parts, as its connections see them."""

    loop: RouterLoop
    limits: Limits
    balancer: Balancer
    log: AccessLog
    deadlines: Deadlines
    ids: RequestIds = field(default_factory=RequestIds)
    unrouted: Metrics = field(default_factory=Metrics)
    """Counts what belongs to no app: unknown hosts, and what was no request at all."""
    ending: bool = False
    """Set once no client gets another answer than that under way."""
    stopping: bool = False
    """Set once the process is to end: every answer then closes its connection."""

    _turn: float = 0.0
    _end: bytes = b""

    def request_end(self) -> bytes:
        """Return what comes after the id in the head of a plain request: made once per turn of the loop."""
        now = self.loop.direct.now
        if now != self._turn:
            self._turn = now
            self._end = request_end(int(time.time() * 1000))
        return self._end
