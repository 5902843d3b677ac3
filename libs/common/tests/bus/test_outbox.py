"""The way out: a row leaves the outbox when the broker has the event, and not before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import aio_pika
import asyncpg
import pytest
from flotilla.bus import relay as relays
from flotilla.bus.envelope import Outgoing
from flotilla.bus.relay import NOBODY, Relay
from flotilla.bus.topology import EXCHANGE
from flotilla.cause import Cause
from flotilla.events.crm import TaskCompleted, TaskCreated
from flotilla.store.postgres import Transaction
from flotilla.telemetry import metrics
from flotilla.testing import Harness, eventually

from libs.common.tests.bus.proxies import mute_proxy
from libs.common.tests.bus.samples import task
from libs.common.tests.bus.test_dispatch import encoded

WRITE = (
    "INSERT INTO outbox (id, type, body, written_at, holder) VALUES ($1, $2, $3, now() - $4::interval, $5)"
)

FRESH = timedelta(hours=-1)
"""Not old enough to be swept, however slow the test is."""


async def write(
    harness: Harness, *events: Outgoing, age: timedelta = timedelta(minutes=1), holder: int = NOBODY
) -> None:
    for event in events:
        await harness.app.db.execute(WRITE, event.id, event.type, event.body, age, holder)


async def standing(harness: Harness, *events: Outgoing) -> set[UUID]:
    sql = "SELECT id FROM outbox WHERE id = ANY($1)"
    return {row["id"] for row in await harness.app.db.fetch(sql, [event.id for event in events])}


def nobodys(org: UUID) -> Outgoing:
    """An event no queue is bound for, once nobody spies."""
    event = encoded(task(), org)
    return Outgoing(event.id, "nobodys.business.v1", event.body)


@pytest.fixture
async def unheard(still: Harness) -> AsyncIterator[Relay]:
    """A relay whose exchange has the lanes' bindings only: not the spy's."""
    async with await aio_pika.connect(still.instance.amqp_url) as connection:
        channel = await connection.channel()
        own = await channel.declare_exchange(
            f"beside.{EXCHANGE}", aio_pika.ExchangeType.TOPIC, auto_delete=False
        )
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(own, "task.created.v1")
        relay = Relay(still.instance.amqp_url, still.app.db, exchange=own.name)
        yield relay
        await relay.close()
        await own.delete()


async def test_what_is_emitted_stands_in_the_outbox_until_it_is_published(still: Harness, org: UUID) -> None:
    async with still.app.db.transaction(org, cause=Cause.fresh()) as tx:
        tx.emit(task(), org=org, sequence=1)
        event = tx.emitted[0]
    assert await standing(still, event) == {event.id}
    outcome = await still.app.relay.publish([event])
    assert (outcome.confirmed, outcome.refused, outcome.unanswered) == (1, 0, 0)
    assert await standing(still, event) == set()
    assert (await still.spy.expect(TaskCreated, lambda seen: seen.org == org)).id == event.id


async def test_what_is_rolled_back_is_never_said(still: Harness, org: UUID) -> None:
    held = len(still.app.relay._held)
    with pytest.raises(ZeroDivisionError):
        await emit_and_fail(still, org)
    assert await still.app.db.fetchval("SELECT count(*) FROM outbox") == 0
    assert len(still.app.relay._held) == held


async def emit_and_fail(harness: Harness, org: UUID) -> None:
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        tx.emit(task(), org=org, sequence=1)
        raise ZeroDivisionError


async def test_what_is_undone_to_a_savepoint_is_not_said_either(still: Harness, org: UUID) -> None:
    async with still.app.db.transaction(org, cause=Cause.fresh()) as tx:
        kept = tx.emit(task(), org=org, sequence=1)
        with pytest.raises(ZeroDivisionError):
            await emit_in_savepoint_and_fail(tx, org)
    assert [event.id for event in tx.emitted] == [kept]
    assert await standing(still, *tx.emitted) == {kept}
    await still.app.relay.publish(tx.emitted)


async def emit_in_savepoint_and_fail(tx: Transaction, org: UUID) -> None:
    async with tx.savepoint():
        tx.emit(task(), org=org, sequence=1)
        raise ZeroDivisionError


async def test_a_returned_event_keeps_its_row_and_is_counted(
    still: Harness, unheard: Relay, org: UUID
) -> None:
    lost, heard = nobodys(org), encoded(task(), org)
    await write(still, lost, heard)
    before = metrics.UNPUBLISHED._value.get()
    outcome = await unheard.publish([lost, heard])
    assert (outcome.confirmed, outcome.refused) == (1, 1)
    assert await standing(still, lost, heard) == {lost.id}
    assert metrics.UNPUBLISHED._value.get() == before + 1
    await still.app.db.execute("DELETE FROM outbox")


async def test_returned_events_do_not_starve_those_behind_them(
    still: Harness, unheard: Relay, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "OLD_OUTBOX", relays.OLD_OUTBOX.replace("LIMIT 500", "LIMIT 3"))
    lost = [nobodys(org) for _ in range(7)]
    behind = [encoded(task(), org) for _ in range(4)]
    await write(still, *lost, *behind)
    assert await unheard.sweep() == 4
    assert await standing(still, *lost, *behind) == {event.id for event in lost}
    await still.app.db.execute("DELETE FROM outbox")


async def test_a_long_backlog_is_swept_turn_by_turn(
    still: Harness, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "OLD_OUTBOX", relays.OLD_OUTBOX.replace("LIMIT 500", "LIMIT 3"))
    monkeypatch.setattr(relays, "SWEEP_SECONDS", -1)
    await write(still, *(encoded(task(), org) for _ in range(7)))
    assert [await still.app.relay.sweep() for _ in range(4)] == [3, 3, 1, 0]


async def test_what_a_crash_left_behind_is_swept_and_what_is_fresh_is_not(still: Harness, org: UUID) -> None:
    left, fresh = [encoded(task(), org) for _ in range(5)], encoded(task(), org)
    await write(still, *left)
    await write(still, fresh, age=FRESH)
    assert await still.app.relay.sweep() == 5
    assert await standing(still, *left, fresh) == {fresh.id}
    await still.app.db.execute("DELETE FROM outbox")


@pytest.fixture
async def late(still: Harness) -> AsyncIterator[Relay]:
    """A relay that runs, known to be alive."""
    relay = Relay(still.instance.amqp_url, still.app.db)
    running = asyncio.create_task(relay.run())

    async def alive() -> bool:
        lock = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1::bigint::oid"
        return bool(await still.app.db.fetchval(lock, relay.holder))

    await eventually(alive, what="its sign of life")
    yield relay
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await relay.close()


async def test_what_a_living_relay_has_in_hand_is_left_to_it_however_late_it_is(
    still: Harness, late: Relay, org: UUID
) -> None:
    events = [encoded(task(), org) for _ in range(300)]
    async with late._opening:  # it comes no further than to its connection
        await write(still, *events, holder=late.hold(events))
        late.hand_over(events)
        await late.give_up()
        assert [await still.app.relay.sweep() for _ in range(2)] == [0, 0]
        assert await standing(still, *events) == {event.id for event in events}
    await late.drained(60)
    assert await standing(still, *events) == set()
    last = encoded(task(), org)
    await late.publish([last])
    await still.spy.expect(TaskCreated, lambda seen: seen.id == last.id)
    heard = [seen.id for seen in still.spy.of(TaskCreated, org)]
    assert heard == [*(event.id for event in events), last.id]


async def test_what_a_relay_could_not_hold_or_publish_is_given_up_and_swept(
    still: Harness, late: Relay, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "MAX_HELD", 2)
    kept, more, undone, fresh = ([encoded(task(), org) for _ in range(2)] for _ in range(4))
    async with late._opening:
        await write(still, *kept, *more, holder=late.hold([*kept, *more]))
        late.hand_over([*kept, *more])
        await write(still, *undone, holder=late.hold(undone))
        late.release(undone)  # its commit was never answered, and had come to pass
        await write(still, *fresh, holder=late.holder, age=FRESH)
        assert await still.app.relay.sweep() == 0
        await late.give_up()
        assert await still.app.relay.sweep() == len(more) + len(undone)
        assert await standing(still, *kept, *more, *undone, *fresh) == {event.id for event in (*kept, *fresh)}
    await late.drained(60)
    assert await standing(still, *kept) == set()
    await still.app.db.execute("DELETE FROM outbox")


async def test_what_a_relay_had_in_hand_is_swept_once_it_is_dead(still: Harness, org: UUID) -> None:
    dead = Relay(still.instance.amqp_url, still.app.db)
    running = asyncio.create_task(dead.run())
    events = [encoded(task(), org) for _ in range(3)]
    async with dead._opening:
        await write(still, *events, holder=dead.hold(events))
        dead.hand_over(events)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def swept() -> bool:
        await still.app.relay.sweep()
        return not await standing(still, *events)

    await eventually(swept)


async def test_a_transaction_that_fails_leaves_nothing_in_hand(still: Harness, org: UUID) -> None:
    before = set(still.app.relay._in_hand)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await flush_and_fail(still, org)
    assert still.app.relay._in_hand == before


async def flush_and_fail(harness: Harness, org: UUID) -> None:
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        event_id = tx.emit(task(), org=org, sequence=1)
        await tx._flush()
        assert event_id in harness.app.relay._in_hand
        await tx.execute("SELECT 1 / 0")


async def test_a_broker_that_stops_confirming_costs_a_time_limit_and_no_row(
    still: Harness, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that takes the bytes and says nothing more, as a broker with a full disk does."""
    monkeypatch.setattr(relays, "CONFIRM_SECONDS", 0.3)
    event = encoded(task(), org)
    await write(still, event)
    async with mute_proxy(still.instance) as (url, mute):
        relay = Relay(url, still.app.db)
        await relay._open()
        mute.set()
        outcome = await relay.publish([event])
        assert (outcome.confirmed, outcome.unanswered) == (0, 1)
        monkeypatch.setattr("flotilla.bus.wire.connection.CLOSE_SECONDS", 0.2)
        await relay.close()
    assert await standing(still, event) == {event.id}
    assert await still.app.relay.sweep() == 1


async def test_memory_is_bounded_and_the_rest_waits_in_the_outbox(
    still: Harness, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [encoded(task(), org) for _ in range(10)]
    monkeypatch.setattr(relays, "MAX_HELD", 6)
    by_number = Relay(still.instance.amqp_url, still.app.db)
    by_number.hand_over(events)
    assert len(by_number._held) == 6
    monkeypatch.setattr(relays, "MAX_HELD_BYTES", 3 * len(events[0].body) + 10)
    by_bytes = Relay(still.instance.amqp_url, still.app.db)
    by_bytes.hand_over(events)
    assert len(by_bytes._held) == 3
    publishing = asyncio.create_task(by_bytes.run())
    await by_bytes.drained(10)
    assert (len(by_bytes._held), by_bytes._held_bytes) == (0, 0)
    publishing.cancel()
    await by_bytes.close()


async def test_rows_go_together_and_none_is_left_by_a_process_that_drains(
    still: Harness, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "DELETE_EVERY", 60)
    relay = Relay(still.instance.amqp_url, still.app.db)
    running = asyncio.create_task(relay.run())
    events = [encoded(task(), org) for _ in range(3)]
    await write(still, *events)
    for event in events:
        relay.hand_over([event])
        await asyncio.wait_for(relay._idle.wait(), 10)
    assert await standing(still, *events) == {event.id for event in events}
    await relay.drained(10)
    assert await standing(still, *events) == set()
    running.cancel()
    await relay.close()


async def test_rows_that_could_not_be_deleted_go_with_the_next(
    still: Harness, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "DELETE_EVERY", 0)
    relay = Relay(still.instance.amqp_url, still.app.db)
    running = asyncio.create_task(relay.run())
    first, second = encoded(task(), org), encoded(task(), org)
    await write(still, first, second)
    with monkeypatch.context() as broken:
        broken.setattr(relays, "DELETE_OUTBOX", "DELETE FROM nothing WHERE id = ANY($1)")
        relay.hand_over([first])

        async def confirmed() -> bool:
            return first.id in relay._confirmed and not relay._deletable.is_set()

        await eventually(confirmed)
    relay.hand_over([second])

    async def gone() -> bool:
        return not await standing(still, first, second)

    await eventually(gone)
    running.cancel()
    await relay.close()


async def test_two_publishers_of_a_process_open_one_connection(still: Harness, org: UUID) -> None:
    relay = Relay(still.instance.amqp_url, still.app.db)
    publishers = await asyncio.gather(*(relay._open() for _ in range(5)))
    assert len({id(publisher) for publisher in publishers}) == 1
    await relay.close()
    again = await relay._open()
    assert again is not publishers[0], "a closed connection is made anew"
    await relay.close()


async def test_an_event_published_by_both_its_process_and_the_sweeper_has_one_effect(
    workshop: Harness, org: UUID
) -> None:
    event = encoded(task(), org)
    await workshop.app.relay.publish([event])
    await workshop.app.relay.publish([event])
    await workshop.publish(last := task(), org=org)

    async def applied_once() -> bool:
        async with workshop.app.db.transaction(org) as tx:
            ids = [row["id"] for row in await tx.fetch("SELECT id FROM applied")]
        return len(ids) == 2 and last.task_id in ids

    await eventually(applied_once)
    assert workshop.spy.of(TaskCompleted, org) == []
