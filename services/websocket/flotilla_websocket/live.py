"""What a process of websocket holds: the connections, and the ways by which events reach them."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.envelope import Received
from flotilla.ids import time_of
from flotilla.security import revocations
from flotilla.security.principal import Principal
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from flotilla_websocket.catch_up import CatchUp
from flotilla_websocket.domain.entry import Entry, entry_of
from flotilla_websocket.fanout import Fanout
from flotilla_websocket.frames import RESUMED, EventFrame, frame
from flotilla_websocket.hub import RIGHTS, Hub
from flotilla_websocket.metrics import CONNECTIONS
from flotilla_websocket.metrics import RESUMED as RESUMES
from flotilla_websocket.peer import Peer
from flotilla_websocket.protocol import LIFETIME, RESTART, SILENT, Hello
from flotilla_websocket.settings import WebsocketSettings
from flotilla_websocket.shown import PASSING
from flotilla_websocket.store import feed

log = structlog.get_logger()

MISSED_PINGS: Final = 2.5
RESUMES_AT_ONCE: Final = 2
"""Of the four connections to the database, what clients coming back all at once may take."""


class Live:
    """The connections of this process."""

    def __init__(self, app: App, settings: WebsocketSettings, redis: Redis) -> None:
        self.app = app
        self.settings = settings
        self.hub = Hub()
        self.fanout = Fanout(redis, settings.instance, self.hub.deliver, self.hub.revoke)
        self._redis = redis
        self.catch_up = CatchUp(
            app.db, self.hub, self.fanout, settings.sweep_seconds, settings.fallback_seconds
        )
        self._resuming = asyncio.Semaphore(RESUMES_AT_ONCE)

    async def show_passing(self, event: Received[Any]) -> None:
        """Push what is worth something now or never; every replica hears it by itself, and no feed keeps it."""
        self.hub.deliver([entry_of(event.envelope)])

    def publish(self, entries: Sequence[Entry]) -> None:
        """Push these here and tell the other replicas."""
        self.hub.deliver(entries)
        self.fanout.tell(entries)

    @asynccontextmanager
    async def connected(self, who: Principal, transport: str) -> AsyncIterator[Peer]:
        """A connection of this person, greeted, until the block is left."""
        peer = Peer(who, self.settings.queued_events)
        hello = Hello(who.session_id, self.settings.heartbeat_seconds, self.app.new_id())
        peer.tell(frame(hello))
        CONNECTIONS.labels(transport).inc()
        try:
            self.hub.join(peer)
            if self.app.stopping.is_set():
                peer.close(RESTART, "service restart")
            yield peer
        finally:
            CONNECTIONS.labels(transport).dec()
            self.hub.leave(peer)

    async def resume(self, peer: Peer, last_event_id: UUID) -> None:
        """Send what the peer missed since that event; where that cannot be said, have it read again."""
        limit = self.settings.resume_events
        missed = await self._missed(peer.org, last_event_id, limit + 1)
        if missed is None or len(missed) > limit:
            RESUMES.labels("resync").inc()
            peer.resync()
            return
        frames = [EventFrame(entry) for entry in missed if entry.type not in RIGHTS]
        peer.tell(*(each for each in frames if peer.wants(each)), RESUMED)
        RESUMES.labels("resumed").inc()

    async def _missed(self, org: UUID, last_event_id: UUID, limit: int) -> list[Entry] | None:
        age = time.time() - time_of(last_event_id).timestamp()
        if age > (feed.KEPT - feed.OVERLAP).total_seconds():
            return None
        try:
            async with self._resuming:
                return await feed.since(self.app.db, org, last_event_id, limit)
        except INFRASTRUCTURE_ERRORS as error:
            log.warning("live.no_resume", error=type(error).__name__)
            return None

    async def beat(self) -> None:
        """Ask each peer once a heartbeat whether it is there, a few at a time; give up who takes nothing in."""
        slots = max(1, round(self.settings.heartbeat_seconds))
        pause = self.settings.heartbeat_seconds / slots
        turn = 0
        while True:
            await asyncio.sleep(pause)
            turn = (turn + 1) % slots
            now = time.monotonic()
            for peer in self.hub.peers():
                peer.give_up_after(self.settings.send_seconds, now)
                if int(peer.beat * slots) == turn:
                    self._check(peer, now)

    def _check(self, peer: Peer, now: float) -> None:
        if now - peer.heard > MISSED_PINGS * self.settings.heartbeat_seconds:
            peer.close(SILENT, "no answer to pings")
        elif now - peer.born > self.settings.socket_lifetime_seconds:
            peer.close(LIFETIME, "connected for long enough: connect again")
        else:
            peer.ping()

    async def look_for_marks(self) -> None:
        """End connections whose session, key or client is marked as revoked, should the word of it have been lost."""
        while True:
            await asyncio.sleep(self.settings.revoked_seconds)
            try:
                found = await revocations.marked(self._redis, self.hub.sessions)
            except (RedisError, OSError) as error:
                log.warning("live.unmarked", error=type(error).__name__)  # the event ends them all the same
                continue
            if found:
                self.hub.revoke(found)

    async def drain(self) -> None:
        """When the process is told to stop: send everybody to another replica."""
        await self.app.stopping.wait()
        for peer in self.hub.peers():
            peer.close(RESTART, "service restart")


@asynccontextmanager
async def live(app: App) -> AsyncIterator[Live]:
    """Open what the process holds, and run it."""
    assert isinstance(app.settings, WebsocketSettings)
    await feed.keep_partitions(app.db)
    # No retries: whoever waits for Redis here would rather look into the feed.
    redis = Redis.from_url(
        app.settings.redis_url.get_secret_value(),
        socket_timeout=5,
        socket_connect_timeout=2,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
    opened = Live(app, app.settings, redis)
    loops = [
        _loop(app, "deliver", opened.hub.run()),
        _loop(app, "publish", opened.fanout.publish()),
        _loop(app, "listen", opened.fanout.listen()),
        _loop(app, "catch_up", opened.catch_up.run()),
        _loop(app, "passing", app.transient.hear(PASSING, opened.show_passing)),
        _loop(app, "beat", opened.beat()),
        _loop(app, "marks", opened.look_for_marks()),
        _loop(app, "drain", opened.drain()),
    ]
    try:
        yield opened
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await redis.aclose()


def _loop(app: App, name: str, running: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """A loop that ends by an error stops the process: half a service is none."""

    async def guarded() -> None:
        try:
            await running
        except Exception as error:
            log.critical("loop.failed", loop=name, exc_info=error)
            app.stopping.set()

    return asyncio.create_task(guarded(), name=name)
