"""Sessions, API keys and OAuth clients that were taken back: marks in Redis, which the rate limit's script of every
gateway process reads in its one round trip.

Auth marks them itself, right after its commit, so that they are refused within a second whatever the broker does. The
event that tells of it marks them once more and keeps them in the gateway's tables: it cannot be lost, a mark can, where
auth dies between its commit and the mark or Redis is away.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

TOKENS_REMEMBERED: Final = timedelta(minutes=17)
"""A mark of what access tokens name, a session or a client: longer than they live, with room for clocks that differ."""
KEYS_REMEMBERED: Final = timedelta(days=30)
"""Of an API key, which has no end of its own: longer than any broker stays away."""


def key(id_: UUID | str) -> str:
    """Where the mark stands; anything there refuses who shows this session, key or client."""
    return f"gateway:ended:{id_}"


async def mark(redis: Redis, revoked: Iterable[UUID], remembered: timedelta) -> None:
    """Mark them, in one round trip; idempotent. RedisError where it cannot be done."""
    async with redis.pipeline(transaction=False) as pipeline:
        for id_ in revoked:
            pipeline.set(key(id_), b"1", ex=remembered)
        await pipeline.execute()


class Revocations:
    """Marks what this process revoked: at once, and all of one moment in one round trip."""

    def __init__(self, url: str) -> None:
        """`url`: of the Redis that the gateway asks; it is called with the first revocation."""
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
        self._waiting: dict[timedelta, set[UUID]] = {}
        self._marking: asyncio.Task[None] | None = None

    def begin(self, id_: UUID, remembered: timedelta) -> None:
        """Mark this one, in the background; called once its end is committed. Never raises."""
        self._waiting.setdefault(remembered, set()).add(id_)
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark(), name="mark revocations")

    async def close(self) -> None:
        """Mark what waits, and let go."""
        if self._marking is not None:
            await asyncio.gather(self._marking, return_exceptions=True)
        await self._redis.aclose()

    async def _mark(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            for remembered, revoked in waiting.items():
                try:
                    await mark(self._redis, revoked, remembered)
                except RedisError as error:
                    log.warning("revocation.unmarked", revoked=len(revoked), error=str(error))
