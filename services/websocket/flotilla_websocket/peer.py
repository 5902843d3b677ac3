"""One open connection: what waits to be sent on it, and how it ends."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from flotilla.security.principal import Principal

from flotilla_websocket.domain.audience import Viewer
from flotilla_websocket.frames import PING, RESYNC, EventFrame, Frame, frame
from flotilla_websocket.metrics import CLOSED, SHED
from flotilla_websocket.protocol import RESTART, SESSION_ENDED, Goodbye

RECONNECT_WITHIN_SECONDS: Final = 5.0
"""Over which clients that are sent away spread their coming back."""

AT_ONCE_BYTES: Final = 64 << 10
"""About so much is given to the network at once."""

Send = Callable[[Sequence[Frame]], Awaitable[None]]
"""Sends these, and waits while the client takes too little in."""
Write = Callable[[bytes], bool]
"""Writes these frames now: whether the connection took them."""
Close = Callable[[int, str], Awaitable[None]]


class Peer:
    """A connection's queue. Others put frames in without ever waiting; `pump` sends them at the client's pace.

    Where nothing waits and the connection takes it, what is offered is written at once: `pump` need not wake for it.

    A client that is too slow loses its queue and gets `resync` instead: it holds up nobody, and costs no more
    memory than `limit` references to shared frames.
    """

    __slots__ = (
        "_given_up",
        "_limit",
        "_pumping",
        "_queue",
        "_resyncing",
        "_sending_since",
        "_wake",
        "asked",
        "beat",
        "born",
        "closing",
        "gone",
        "heard",
        "role",
        "session_id",
        "topics",
        "user_id",
        "viewer",
        "write",
    )

    def __init__(self, who: Principal, limit: int) -> None:
        self.viewer = Viewer.of(who)
        self.session_id = who.session_id
        self.user_id = who.user_id
        self.role = who.role
        self.topics: frozenset[str] | None = None
        """None: everything it may see."""
        self.born = self.heard = time.monotonic()
        self.beat = random.random()
        """When in a heartbeat it is asked, so that not all are at once."""
        self.asked = 0
        """Messages of the client since the last ping."""
        self.write: Write | None = None
        """Set where there is a way into the connection past `pump`'s."""
        self.closing: tuple[int, str] | None = None
        self.gone = False
        self._limit = limit
        self._queue: deque[Frame] = deque()
        self._resyncing = False
        self._wake = asyncio.Event()
        self._pumping: asyncio.Task[None] | None = None
        self._sending_since = 0.0
        self._given_up = False

    @property
    def org(self) -> UUID:
        """The organization it belongs to."""
        return self.viewer.org

    def wants(self, event: EventFrame) -> bool:
        """Whether it may see the event and asked for it."""
        if not self.viewer.may_see(event.entry.org, event.audience, lambda: event.record):
            return False
        return self.topics is None or not self.topics.isdisjoint(event.topics)

    def offer(self, events: Sequence[EventFrame]) -> int:
        """Put those it wants in its queue, and say how many; never waits."""
        wanted = [event for event in events if self.wants(event)]
        if not wanted or self.closing:
            return 0
        if self._resyncing:
            SHED.inc(len(wanted))
            return 0
        if len(self._queue) + len(wanted) > self._limit:
            SHED.inc(len(self._queue) + len(wanted))
            self.resync()
            return 0
        if not self._write_now(wanted):
            self._put(wanted)
        return len(wanted)

    def tell(self, *messages: Frame) -> None:
        """Put messages in its queue, whatever waits there."""
        if not self.closing:
            self._put(messages)

    def resync(self) -> None:
        """Forget what waits: the client shall read everything again."""
        if self.closing:
            return
        self._queue.clear()
        self._resyncing = True
        self._put((RESYNC,))

    def ping(self) -> None:
        """Ask whether it is there; not where so much waits that it must be seen anyway."""
        self.asked = 0
        if not self._queue:
            self.tell(PING)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and end, once what is being sent is sent."""
        if self.closing:
            return
        CLOSED.labels(str(code)).inc()
        pause = random.uniform(0, RECONNECT_WITHIN_SECONDS) if code == RESTART else 0.0
        again = None if code == SESSION_ENDED else round(pause, 2)
        self._queue.clear()
        self._put((frame(Goodbye(code, reason, again)),))
        self.closing = (code, reason)

    def leave(self) -> None:
        """The client has gone."""
        self.gone = True
        self._wake.set()

    async def pump(self, send: Send, close: Close) -> None:
        """Send what is in the queue until the client goes, is closed, or is given up."""
        self._pumping = asyncio.current_task()
        try:
            while not self.gone:
                await self._wake.wait()
                self._wake.clear()
                await self._send_all(send)
                if self.closing and not self.gone:
                    self._sending_since = time.monotonic()
                    await close(*self.closing)
                    return
        except OSError:
            return
        except asyncio.CancelledError:
            if not self._given_up or self._pumping is None or self._pumping.uncancel():
                raise
        finally:
            self._pumping = None

    def give_up_after(self, seconds: float, now: float) -> None:
        """End without goodbye where one message has been on its way for so long.

        Looked at from outside: a time limit around each send would cost a quarter of what a send does.
        """
        if self._sending_since and now - self._sending_since > seconds and self._pumping is not None:
            self._given_up = True
            self._pumping.cancel()

    async def _send_all(self, send: Send) -> None:
        while self._queue and not self.gone:
            self._sending_since = time.monotonic()
            await send(self._take())
        self._sending_since = 0.0

    def _take(self) -> list[Frame]:
        taken: list[Frame] = []
        size = 0
        while self._queue and size < AT_ONCE_BYTES:
            next_ = self._queue.popleft()
            if next_ is RESYNC:
                self._resyncing = False
            taken.append(next_)
            size += len(next_.text)
        return taken

    def _write_now(self, frames: Sequence[Frame]) -> bool:
        if self.write is None or self._queue or self._sending_since or self.gone:
            return False
        data = frames[0].wire if len(frames) == 1 else b"".join([each.wire for each in frames])
        return len(data) <= AT_ONCE_BYTES and self.write(data)

    def _put(self, frames: Sequence[Frame]) -> None:
        self._queue.extend(frames)
        self._wake.set()
