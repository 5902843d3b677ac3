"""What is older than an organization keeps it goes: rows, bodies and files; nothing else, and nothing under a hold."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flotilla.app import App
from flotilla.events.privacy import RetentionChanged, RetentionSwept
from flotilla.ids import derived_id, new_id
from flotilla.privacy import sweeping
from flotilla.privacy.keep import Keep
from flotilla.testing import Harness, eventually
from flotilla_messaging.filing import files_of
from flotilla_messaging.store import bodies
from flotilla_messaging.store.bodies import Body

Received = Callable[..., Awaitable[UUID]]

FILE = b"200 mugs"
TAKEN = """
INSERT INTO leases (name, token, until) VALUES ($1, $2, now() + interval '1 hour')
ON CONFLICT (name) DO UPDATE SET token = excluded.token, until = excluded.until"""
STORED = """
INSERT INTO attachments (organization_id, id, conversation_id, message_id, name, state, object, content_type, size,
                         sha256, created_by)
VALUES ($1, $2, $3, $4, 'offer.txt', 'stored', $5, 'text/plain', 8, 'none', 'test')"""
OLDER = """
INSERT INTO messages (organization_id, id, conversation_id, position, direction, state, identity_id, sent_at, state_at,
                      body_id)
SELECT organization_id, $3, id, 1000 + $4, 'in', 'received', identity_id, $5, $5, $6
FROM conversations WHERE organization_id = $1 AND id = $2"""


@dataclass
class Past:
    """Messages of an organization, some of them old."""

    messaging: Harness
    org: UUID
    conversation: UUID

    async def wrote(self, days: int, number: int = 0, *, file: bool = False) -> UUID:
        """A message of so many days ago, edited once; its id."""
        at = datetime.now(UTC) - timedelta(days=days)
        id_, edited = (derived_id(at, str(self.org), str(number), what) for what in ("said", "edited"))
        app = self.messaging.app
        await bodies.write(app, [Body(self.org, id_, "Hello"), Body(self.org, edited, "Hi", edits=id_)])
        async with app.db.transaction(self.org) as tx:
            await tx.execute(OLDER, self.org, self.conversation, id_, days * 10 + number, at, edited)
            if file:
                path = f"{self.org}/attachments/{id_}/whole"
                await tx.execute(STORED, self.org, id_, self.conversation, id_, path)
        if file:
            async with files_of(app).writing(path) as sink:
                await sink.write(FILE)
        return id_

    async def keeps(
        self, sequence: int, days: int | None, *held: str, bound: tuple[int, timedelta] | None = None
    ) -> None:
        """Auth says so, and messaging has heard; `bound`: by the plan, from so long from now on."""
        said = RetentionChanged(
            organization_id=self.org,
            periods={"messages": days},
            held=list(held),
            reason=None,
            bound_days=bound[0] if bound else None,
            bound_from=datetime.now(UTC) + bound[1] if bound else None,
        )
        await self.messaging.publish(said, org=self.org, sequence=sequence)

        async def known() -> bool:
            standing = await self.messaging.app.db.fetchval(
                "SELECT sequence FROM retained WHERE organization_id = $1", self.org
            )
            return bool(standing == sequence)

        await eventually(known, what="messaging knows how long messages are kept")

    async def left(self) -> list[UUID]:
        """Of the messages."""
        async with self.messaging.app.db.transaction(self.org) as tx:
            return [row["id"] for row in await tx.fetch("SELECT id FROM messages ORDER BY id")]

    async def said(self) -> int:
        """How many bodies there are."""
        found = [len(some) async for some in bodies.collection(self.messaging.app).all_of(self.org, 100)]
        return sum(found)


@pytest.fixture
async def past(messaging: Harness, org: UUID, received: Received) -> Past:
    # The service's own worker has no turn: each test takes its own.
    await messaging.app.db.execute(TAKEN, sweeping.worker.name, new_id())
    return Past(messaging, org, await received("Hello of long ago"))


async def test_old_messages_go_with_bodies_and_files(past: Past) -> None:
    app = past.messaging.app
    old = await past.wrote(40, file=True)
    young = await past.wrote(20, file=True)
    elsewhere = Past(past.messaging, new_id(), past.conversation)
    await bodies.write(app, [Body(elsewhere.org, old, "of somebody else, under the same id's age")])
    await past.keeps(1, 30)

    await sweeping.sweep(app)

    assert await past.left() == [young]
    assert await past.said() == 2, "the younger one's, with its edit"
    files = files_of(app)
    assert await files.size(f"{past.org}/attachments/{old}/whole") is None
    assert await files.size(f"{past.org}/attachments/{young}/whole") == len(FILE)
    told = await past.messaging.spy.expect(RetentionSwept, lambda event: event.org == past.org)
    assert told.data.removed == {"messages": 2}, "with the one that opened the conversation, long ago"
    await sweeping.sweep(app)
    assert len(past.messaging.spy.of(RetentionSwept, past.org)) == 1, "once a day, and nothing is told twice"


async def test_nothing_goes_under_a_legal_hold_until_it_ends(past: Past) -> None:
    old = await past.wrote(40)
    await past.keeps(1, 30, "all")
    await sweeping.sweep(past.messaging.app)
    assert old in await past.left()
    assert await past.said() == 3

    await past.keeps(2, 30, "calls")
    await sweeping.sweep(past.messaging.app)
    assert old not in await past.left(), "what changed counts at the next turn"


async def test_a_hold_that_comes_in_the_middle_of_a_batch_keeps_its_rows(past: Past) -> None:
    old = await past.wrote(40)
    await past.keeps(1, 30)

    async def held_meanwhile(_app: App, _org: UUID, _ids: Sequence[UUID]) -> None:
        await past.keeps(2, 30, "messages")

    keep = Keep("messages", "messages", outside=held_meanwhile)
    assert await sweeping._batch(past.messaging.app, past.org, keep, sweeping.START) is None
    assert old in await past.left()


async def test_a_turn_is_bounded_and_the_next_goes_on(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [await past.wrote(40, number) for number in range(5)]
    await past.keeps(1, 30)
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    app = past.messaging.app
    turns = 0
    while set(await past.left()) & set(old):
        # As if the process had died: nothing is left of a turn but what it committed.
        await sweeping._sweep_organization(app, past.org, sweeping.Turn(batches=2))
        turns += 1
        assert turns < 10
    assert turns > 1
    assert not past.messaging.spy.of(RetentionSwept, past.org), "told when all of it is done"
    await sweeping.sweep(app)
    told = await past.messaging.spy.expect(RetentionSwept, lambda event: event.org == past.org)
    assert told.data.removed == {"messages": 6}, "what went in all turns, each counted once"


async def test_where_nothing_was_decided_messages_stay(past: Past) -> None:
    old = await past.wrote(5000)
    await past.keeps(1, None)
    await sweeping.sweep(past.messaging.app)
    assert old in await past.left()


@pytest.mark.parametrize(("wished", "bound"), [(None, 30), (365, 30), (30, 365)])
async def test_the_smaller_of_wish_and_plan_counts_once_the_plan_s_bound_holds(
    past: Past, wished: int | None, bound: int
) -> None:
    app, day = past.messaging.app, timedelta(days=1)
    old = await past.wrote(60)
    young = await past.wrote(3)
    await past.keeps(1, None, bound=(bound, day))
    await sweeping.sweep(app)
    assert old in await past.left(), "nothing goes before its day"
    await past.keeps(2, wished, "messages", bound=(bound, -day))
    await sweeping.sweep(app)
    assert old in await past.left(), "a legal hold stands before any plan"
    await past.keeps(3, wished, bound=(bound, -day))
    await sweeping.sweep(app)
    left = await past.left()
    assert old not in left
    assert young in left
