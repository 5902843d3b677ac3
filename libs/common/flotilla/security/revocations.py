"""Sessions, API keys and OAuth clients that were taken back: marks in Redis, which the rate limit's script of every
gateway process reads in its one round trip.

Auth marks them itself, right after its commit, so that they are refused within a second whatever the broker does. The
event that tells of it marks them once more and keeps them in the gateway's tables: it cannot be lost, a mark can, where
auth dies between its commit and the mark or Redis is away.

Whoever marks says so as well, on a channel: websocket closes their sockets, whatever is before the event in its lane.
It may miss that, so it also looks for the marks.
"""

import asyncio
from collections.abc import Iterable, Sequence
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


CHANNEL: Final = "gateway:ended"
"""Where marks are said. Redis' channels are those of all its databases: ids are nobody else's."""
_BYTES: Final = 16
"""Of an id."""
_AT_ONCE: Final = 1000
"""Marks that one command looks for."""


def key(id_: UUID | str) -> str:
    """Where the mark stands; anything there refuses who shows this session, key or client."""
    return f"gateway:ended:{id_}"


async def mark(redis: Redis, revoked: Iterable[UUID], remembered: timedelta) -> None:
    """Mark them and say so, in one round trip; idempotent. RedisError where it cannot be done."""
    ids = list(revoked)
    async with redis.pipeline(transaction=False) as pipeline:
        for id_ in ids:
            pipeline.set(key(id_), b"1", ex=remembered)
        # Behind the marks: whoever hears of it finds them.
        pipeline.publish(CHANNEL, word_of(ids))
        await pipeline.execute()


def word_of(ids: Iterable[UUID]) -> bytes:
    """What is said on the channel of these."""
    return b"".join(id_.bytes for id_ in ids)


def said(message: bytes) -> frozenset[UUID]:
    """Those of a message on the channel; ValueError where it is none of ours."""
    if len(message) % _BYTES:
        raise ValueError("not ids")
    return frozenset(UUID(bytes=message[at : at + _BYTES]) for at in range(0, len(message), _BYTES))


async def marked(redis: Redis, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Which of these are marked. RedisError where it cannot be said."""
    found: set[UUID] = set()
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        marks = await redis.mget([key(id_) for id_ in some])
        found.update(id_ for id_, mark_ in zip(some, marks, strict=True) if mark_ is not None)
    return frozenset(found)


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
