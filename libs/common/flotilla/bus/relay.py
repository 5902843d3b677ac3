"""The way out: what a transaction wrote to the outbox is published from memory once it has committed.

Published rows are deleted by autocommit soon after the broker confirmed them, those of many transactions at once;
a returned, refused or unconfirmed message keeps its row. A row bears the number of the relay whose it is to publish,
and a relay shows that it lives by a lock, which Postgres frees when the process ends. One leased sweeper a service
publishes rows older than `SWEEP_AFTER` of dead relays, and those that a living one has given up (`give_up`): what
a relay still has in hand is its own, however late it is. What dies between publishing and deleting is published
twice; consumers know an event by its id.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from flotilla.bus import faults
from flotilla.bus.envelope import Outgoing
from flotilla.bus.topology import EXCHANGE
from flotilla.bus.wire.frames import Message
from flotilla.bus.wire.publisher import Publisher
from flotilla.store.postgres import Database
from flotilla.telemetry import metrics

log = structlog.get_logger()

MAX_BATCH: Final = 200
MAX_HELD: Final = 20_000
MAX_HELD_BYTES: Final = 32 << 20
"""Events, and their bytes, kept in memory while the broker is away; more stay in the outbox for the sweeper."""
CONFIRM_SECONDS: Final = 10
PAUSE: Final = 0.2
MAX_PAUSE: Final = 3.0
DELETE_EVERY: Final = 0.05
"""Seconds. A statement for each transaction would be a commit for each commit; what dies in between is published
twice. Far less than `SWEEP_AFTER`."""
SWEEP_AFTER: Final = 5
SWEEP_SECONDS: Final = 5
"""A long backlog is left to the next turn, before this one is cut off in the middle of a batch."""
DELETE_OUTBOX: Final = "DELETE FROM outbox WHERE id = ANY($1)"
NOBODY: Final = 0
"""The holder of rows that no relay has in hand."""
_OLD: Final = f"written_at < now() - make_interval(secs => {SWEEP_AFTER})"
DEAD: Final = f"""
SELECT holder FROM (SELECT DISTINCT holder FROM outbox WHERE {_OLD}) AS late
WHERE pg_try_advisory_xact_lock('outbox'::regclass::int, holder)"""  # noqa: S608
"""Holders of old rows who show no sign of life."""
OLD_OUTBOX: Final = f"""
SELECT id, type, body FROM outbox WHERE {_OLD} AND id > $1 AND holder = ANY($2) ORDER BY id LIMIT 500"""  # noqa: S608
OWN_OLD: Final = f"""
SELECT id FROM outbox WHERE {_OLD} AND id > $1 AND holder = $2 ORDER BY id LIMIT 5000"""  # noqa: S608
GIVE_UP: Final = f"UPDATE outbox SET holder = {NOBODY} WHERE id = ANY($1)"  # noqa: S608


@dataclass(frozen=True)
class Outcome:
    """What became of a batch; only the confirmed events have left the outbox."""

    confirmed: int
    refused: int
    """Returned, because nobody listens for them, or refused by the broker."""
    unanswered: int


class Relay:
    """Publishes for one process, in the order of the commits."""

    def __init__(self, amqp_url: str, db: Database, *, exchange: str = EXCHANGE) -> None:
        self._url = amqp_url
        self._exchange = exchange
        self._db = db
        self.holder = random.randint(1, (1 << 31) - 1)
        """The number that its rows bear."""
        self._in_hand: set[UUID] = set()
        """Of rows about to be committed, waiting to be published, on their way, or published and not deleted."""
        self._held: deque[Outgoing] = deque()
        self._held_bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._opening = asyncio.Lock()
        self._publisher: Publisher | None = None
        self._confirmed: list[UUID] = []
        self._deletable = asyncio.Event()
        self._deleting = asyncio.Lock()

    def hold(self, events: Iterable[Outgoing]) -> int:
        """These are about to be written: the number that their rows bear. Hand them over then, or release them."""
        self._in_hand.update(event.id for event in events)
        return self.holder

    def release(self, events: Iterable[Outgoing]) -> None:
        """They are not published from here; where they stand in the outbox all the same, they are given up."""
        self._in_hand.difference_update(event.id for event in events)

    def hand_over(self, events: Iterable[Outgoing]) -> None:
        """Publish these soon; called after their commit. Never waits, never fails."""
        faults.reach("committed")
        for event in events:
            if len(self._held) < MAX_HELD and self._held_bytes + len(event.body) <= MAX_HELD_BYTES:
                self._held.append(event)
                self._held_bytes += len(event.body)
            else:
                self._in_hand.discard(event.id)
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        beside = [
            asyncio.create_task(self._delete_now_and_then()),
            asyncio.create_task(self._db.listener.show_life("outbox", self.holder)),
        ]
        try:
            await self._publish_all()
        finally:
            for task in beside:
                task.cancel()

    async def _publish_all(self) -> None:
        pause = PAUSE
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._held:
                batch = [self._held.popleft() for _ in range(min(MAX_BATCH, len(self._held)))]
                self._held_bytes -= sum(len(event.body) for event in batch)
                if await self._publish_or_leave(batch):
                    pause = PAUSE
                else:
                    await asyncio.sleep(pause * random.uniform(0.5, 1))
                    pause = min(pause * 2, MAX_PAUSE)
            self._idle.set()

    async def drained(self, seconds: float) -> None:
        """Wait until everything handed over is published, at most `seconds`; the rest is in the outbox."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
                await self._delete_confirmed()
        except TimeoutError:
            log.warning("relay.left", events=len(self._held))

    async def give_up(self) -> None:
        """Leave old rows to the sweeper that bear this relay's number and that it has not in hand.

        They were too many, or not confirmed, or nobody knew whether they were committed.
        """
        after = UUID(int=0)
        while ids := [row["id"] for row in await self._db.fetch(OWN_OLD, after, self.holder)]:
            after = ids[-1]
            if left := [id_ for id_ in ids if id_ not in self._in_hand]:
                await self._db.execute(GIVE_UP, left)

    async def sweep(self) -> int:
        """Publish what is older than `SWEEP_AFTER` and in no living relay's hand: the number of events.

        What the broker returns, because nobody listens for it, keeps its row and holds up nothing behind it.
        """
        swept, after = 0, UUID(int=0)
        ends = time.monotonic() + SWEEP_SECONDS
        dead = [row["holder"] for row in await self._db.fetch(DEAD)]
        while dead and (rows := await self._db.fetch(OLD_OUTBOX, after, dead)):
            after = rows[-1]["id"]
            batch = [Outgoing(row["id"], row["type"], row["body"]) for row in rows]
            outcome = await self.publish(batch)
            swept += outcome.confirmed
            if outcome.unanswered or time.monotonic() > ends:
                break
        return swept

    async def publish(self, batch: Sequence[Outgoing]) -> Outcome:
        """Publish and delete what was confirmed. Raises where the broker is away."""
        outcome = await self._publish(batch)
        await self._delete_confirmed()
        return outcome

    async def close(self) -> None:
        """Close the connection."""
        if self._publisher is not None:
            await self._publisher.close()

    async def _publish_or_leave(self, batch: list[Outgoing]) -> bool:
        """False where the broker is away: the rows stay, and the sweeper comes for them."""
        try:
            outcome = await self._publish(batch)
        except Exception as error:
            log.warning("relay.failed", events=len(batch), error=repr(error))
            self.release(batch)
            return False
        return not outcome.unanswered

    async def _publish(self, batch: Sequence[Outgoing]) -> Outcome:
        publisher = await self._open()
        messages = [Message(event.id, event.type, event.body) for event in batch]
        receipt = await publisher.publish(self._exchange, messages, seconds=CONFIRM_SECONDS)
        if receipt.delivered:
            faults.reach("published")
            self._confirmed += [batch[index].id for index in receipt.delivered]
            self._deletable.set()
            metrics.PUBLISHED.inc(len(receipt.delivered))
        if len(receipt.delivered) < len(batch):
            self._in_hand.difference_update({event.id for event in batch} - set(self._confirmed))
        if failed := receipt.refused + receipt.unanswered:
            metrics.UNPUBLISHED.inc(failed)
            log.warning("relay.unconfirmed", events=failed, reason=receipt.reason)
        return Outcome(len(receipt.delivered), receipt.refused, receipt.unanswered)

    async def _delete_now_and_then(self) -> None:
        while True:
            await self._deletable.wait()
            await asyncio.sleep(DELETE_EVERY)
            try:
                await self._delete_confirmed()
            except Exception as error:
                log.warning("relay.rows_left", error=repr(error))

    async def _delete_confirmed(self) -> None:
        """What cannot be deleted now is tried again with what is confirmed next, or published twice."""
        async with self._deleting:
            self._deletable.clear()
            if ids := self._confirmed[:]:
                await self._db.execute(DELETE_OUTBOX, ids)
                del self._confirmed[: len(ids)]
                self._in_hand.difference_update(ids)

    async def _open(self) -> Publisher:
        """A living connection; the relay and the sweeper share one."""
        async with self._opening:
            if self._publisher is None or self._publisher.error is not None:
                self._publisher = await Publisher.open(self._url, "relay")
            return self._publisher
