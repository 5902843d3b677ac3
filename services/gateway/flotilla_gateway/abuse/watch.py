"""Watches how requests end, and has addresses blocked of which too many end badly.

Each bad end is worth points (`worth`); they are gathered here for a moment and counted in Redis for all processes
together. A good request costs nothing.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import hiredis
import structlog
from flotilla.ids import new_id
from flotilla.security import blocks

from flotilla_gateway import metrics
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.limits.hooks import HOOK
from flotilla_gateway.limits.pipe import RedisDownError, RedisPipe
from flotilla_gateway.limits.script import Script
from flotilla_gateway.routing import Operation

log = structlog.get_logger()

FAILED_AUTHENTICATION: Final = "failed_authentication"
SCANNING: Final = "scanning"
MALFORMED: Final = "malformed"
OVER_LIMITS: Final = "over_limits"
_AT_THE_DOOR: Final = {400: (5, MALFORMED), 408: (5, MALFORMED), 414: (5, MALFORMED), 431: (5, MALFORMED)}
_ANYWHERE: Final = {
    401: (3, FAILED_AUTHENTICATION),
    403: (1, SCANNING),
    404: (1, SCANNING),
    429: (1, OVER_LIMITS),
}
_NO_ROUTE: Final = {404: (2, SCANNING), 405: (2, SCANNING)}

GATHER_SECONDS: Final = 0.2
MOST_GATHERED: Final = 10_000
"""Addresses at once; of further ones nothing is counted, which only a flood from everywhere meets."""

_SCRIPT: Final = Script("flotilla_gateway.abuse", "points.lua")


@dataclass(frozen=True, slots=True)
class Patience:
    """When an address is blocked, and for how long."""

    points: int = 300
    seconds: int = 60
    """In which they are gathered, from the first on."""
    first_seconds: int = 60
    longest_seconds: int = 86_400
    factor: int = 4
    """Each further block is so many times longer."""
    remembered_seconds: int = 7 * 86_400
    """After the last block, the next one is a first one again."""


def worth(status: int, operation: Operation | None) -> tuple[int, str] | None:
    """Points of a request that ended so, and what they are for; `operation`: None where no route was found.

    Webhooks and links are worth none: a vendor sends for many accounts from the same addresses, and mail providers
    fetch for many people, so one's mistake would have others' messages refused. They spend a budget of their own
    (`Hooks`).
    """
    if operation is None:
        return _NO_ROUTE.get(status) or _AT_THE_DOOR.get(status) or _ANYWHERE.get(status)
    return None if operation.limit == HOOK else _ANYWHERE.get(status)


class Watch:
    """Of one process."""

    def __init__(self, pipe: RedisPipe, patience: Patience) -> None:
        self._pipe = pipe
        self._patience = patience
        self._gathered: dict[str, dict[str, int]] = {}
        self._telling: asyncio.Task[None] | None = None

    def saw(self, caller: Caller, status: int, operation: Operation | None) -> None:
        """A request of this caller ended with this status."""
        found = worth(status, operation)
        if found is None or caller.block is None:
            return
        if caller.bucket not in self._gathered and len(self._gathered) >= MOST_GATHERED:
            return
        points, reason = found
        gathered = self._gathered.setdefault(caller.bucket, {})
        gathered[reason] = gathered.get(reason, 0) + points
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        """What is gathered and not told is forgotten."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _tell(self) -> None:
        while self._gathered:
            await asyncio.sleep(GATHER_SECONDS)
            gathered, self._gathered = self._gathered, {}
            await asyncio.gather(*(self._count(bucket, points) for bucket, points in gathered.items()))

    async def _count(self, bucket: str, points: dict[str, int]) -> None:
        reason = max(points, key=points.__getitem__)
        keys = (f"gateway:points:{bucket}", blocks.key(bucket), f"gateway:offences:{bucket}")
        patience = self._patience
        try:
            seconds = await _SCRIPT.run(
                self._pipe,
                len(keys) + 2,
                *keys,
                blocks.ENDS,
                blocks.FACTS,
                sum(points.values()),
                patience.seconds * 1000,
                patience.points,
                patience.first_seconds,
                patience.longest_seconds,
                patience.factor,
                patience.remembered_seconds,
                bucket,
                reason,
                str(new_id()),
                blocks.MOST_FACTS,
            )
        except RedisDownError:
            return  # As with limits: nobody can say, and nothing is held against anybody.
        except hiredis.ReplyError as error:
            log.warning("abuse.uncounted", error=str(error))
            return
        if seconds:
            metrics.BLOCKS.labels(reason).inc()
