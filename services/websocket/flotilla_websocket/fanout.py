"""From the replica that took an event from the bus to all of them, by Redis pub/sub.

Each batch goes to all of them as it is: to take out what one has connections for costs far less than a message for
each organization in it. Redis may lose any of it, or be away: the feed has everything (catch_up.py).

What auth says of sessions that it revoked is heard on the same connection (`flotilla.security.revocations`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.ids import new_id
from flotilla.security import revocations
from redis.asyncio import Redis
from redis.exceptions import RedisError

from flotilla_websocket.domain.entry import Entry, from_bytes, to_bytes
from flotilla_websocket.metrics import UNTOLD

log = structlog.get_logger()

BATCHES_WAITING: Final = 1000
AT_ONCE: Final = 200
"""Events in a message."""
RETRY_SECONDS: Final = 0.5
LISTEN_SECONDS: Final = 1.0
SENDER_BYTES: Final = 16


class Fanout:
    """Tells other replicas, and hears them."""

    def __init__(
        self,
        redis: Redis,
        instance: str,
        heard: Callable[[Sequence[Entry]], None],
        revoked: Callable[[frozenset[UUID]], None],
    ) -> None:
        """`heard`: what to do with the others' events; `revoked`: with sessions, keys and clients that are no more."""
        self._redis = redis
        self._channel = f"flotilla:{instance}:live"
        self._heard = heard
        self._revoked = revoked
        self._me = new_id().bytes
        self._batches: asyncio.Queue[Sequence[Entry]] = asyncio.Queue(BATCHES_WAITING)
        self.connected = False
        """Whether the others are heard at the moment."""
        self.turned = asyncio.Event()
        """Set when that changes."""

    def tell(self, entries: Sequence[Entry]) -> None:
        """Publish these soon; never waits, and may lose them."""
        try:
            self._batches.put_nowait(entries)
        except asyncio.QueueFull:
            UNTOLD.inc()

    async def publish(self) -> None:
        """Publish what is told, until cancelled."""
        while True:
            entries = list(await self._batches.get())
            while not self._batches.empty():
                entries += self._batches.get_nowait()
            try:
                with suppress(RedisError, OSError):
                    await self._publish(entries)
                    continue
                await self._publish(entries)  # the connection had died unused: once more, on a new one
            except (RedisError, OSError) as error:
                UNTOLD.inc()
                log.warning("live.untold", events=len(entries), error=type(error).__name__)

    async def listen(self) -> None:
        """Hear the others, until cancelled."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("live.deaf", error=type(error).__name__)
            finally:
                self._turn(connected=False)
            await asyncio.sleep(RETRY_SECONDS)

    async def _publish(self, entries: Sequence[Entry]) -> None:
        for first in range(0, len(entries), AT_ONCE):
            await self._redis.publish(self._channel, self._me + to_bytes(entries[first : first + AT_ONCE]))

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel, revocations.CHANNEL)
            self._turn(connected=True)
            while True:
                message = await pubsub.get_message(timeout=LISTEN_SECONDS)
                if message is None or message["type"] != "message":
                    continue
                try:
                    self._take(message["channel"], message["data"])
                except (ValueError, msgspec.DecodeError) as error:
                    log.warning("live.misheard", error=type(error).__name__)

    def _take(self, channel: bytes, data: bytes) -> None:
        if channel == revocations.CHANNEL.encode():
            self._revoked(revocations.said(data))
        elif data[:SENDER_BYTES] != self._me:
            self._heard(from_bytes(data[SENDER_BYTES:]))

    def _turn(self, *, connected: bool) -> None:
        if connected != self.connected:
            self.connected = connected
            self.turned.set()
