"""Nothing is missed by somebody who was away."""

import asyncio
from functools import partial
from uuid import UUID

import asyncpg
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_websocket.domain.entry import Entry
from flotilla_websocket.store import feed

from services.websocket.tests.listening import SocketListener, show, socket_of, stream_of

OLD = UUID("01890000-0000-7000-8000-000000000000")


async def _in_feed(live: Harness, org: UUID, event_id: UUID) -> None:
    async def there() -> bool:
        async with live.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM feed WHERE id = $1", event_id))

    await eventually(there, what="the event is in the feed")


async def test_what_came_between_is_sent(live: Harness, other: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as before:
        last = await show(live, org)
        await before.expect_event(last)
    missed = [await show(live, org) for _ in range(30)]
    await _in_feed(live, org, missed[-1])
    async with socket_of(other.client(org)) as after:
        await after.say(type="resume", last_event_id=str(last))
        await after.expect("resumed")
        assert set(map(str, missed)) <= set(after.events)
        await after.expect_event(await show(live, org))


async def test_a_socket_that_drops_in_the_middle_of_a_stream_misses_nothing(
    live: Harness, other: Harness, org: UUID
) -> None:
    """Events stream without pause while the client loses its connection again and again."""
    shown: list[UUID] = []
    done = asyncio.Event()

    async def stream() -> None:
        while not done.is_set():
            shown.append(await show(live, org))
            await asyncio.sleep(0.003)  # sleep: the pace of the stream

    streaming = asyncio.create_task(stream())
    seen: set[str] = set()
    last: str | None = None
    try:
        for drop in range(6):
            replica = (live, other)[drop % 2]
            async with socket_of(replica.client(org)) as me:
                await me.say(type="resume", last_event_id=last or me.messages[0]["last_event_id"])
                wanted = len(shown) + 20
                await eventually(partial(_longer, shown, wanted))
                await me.expect_event(shown[wanted - 1])
                me.socket.transport.abort()
            seen.update(me.events)
            last = me.events[-1]
    finally:
        done.set()
        await streaming
    async with socket_of(live.client(org)) as me:
        await me.say(type="resume", last_event_id=last)
        await me.expect_event(shown[-1])
        await me.expect("resumed")
        await eventually(partial(_complete, shown, seen, me))


async def _complete(shown: list[UUID], seen: set[str], listener: SocketListener) -> bool:
    return seen | set(listener.events) == set(map(str, shown))


async def _longer(shown: list[UUID], wanted: int) -> bool:
    return len(shown) >= wanted


async def test_a_browser_resumes_its_stream(live: Harness, org: UUID) -> None:
    async with stream_of(live.client(org)) as before:
        last = await show(live, org)
        await before.expect_event(last)
    missed = await show(live, org)
    await _in_feed(live, org, missed)
    async with stream_of(live.client(org), **{"Last-Event-ID": str(last)}) as after:
        await after.expect_event(missed)
        await after.expect("resumed")


async def test_a_resume_goes_back_half_a_minute_further(live: Harness, org: UUID) -> None:
    """Replicas push in another order than transactions commit: what is a little older is sent once more."""
    long_before, just_before, last = new_id(), new_id(), new_id()
    async with live.app.db.transaction(org) as tx:
        await feed.write(tx, [_entry(org, event_id) for event_id in (long_before, just_before, last)])
        for event_id, age in ((long_before, 31), (just_before, 29)):
            sql = "UPDATE feed SET arrived_at = now() - make_interval(secs => $2) WHERE id = $1"
            await tx.execute(sql, event_id, age)
    async with socket_of(live.client(org)) as me:
        await me.say(type="resume", last_event_id=str(last))
        await me.expect("resumed")
        assert me.events == [str(just_before), str(last)]


async def test_an_event_that_was_held_up_is_not_missed(live: Harness, org: UUID) -> None:
    """Its id is minutes older than the client's last event, but it came after."""
    async with socket_of(live.client(org)) as before:
        last = await show(live, org)
        await before.expect_event(last)
    held_up = UUID(int=new_id().int - (300_000 << 80))
    async with live.app.db.transaction(org) as tx:
        await feed.write(tx, [_entry(org, held_up)])
    async with socket_of(live.client(org)) as after:
        await after.say(type="resume", last_event_id=str(last))
        await after.expect("resumed")
        assert str(held_up) in after.events


async def test_a_resume_shows_nothing_that_is_not_for_me(live: Harness, org: UUID) -> None:
    async with socket_of(live.client(org, "owner")) as owner:
        start = owner.messages[0]["last_event_id"]
        secret = await show(live, org, None)
        await show(live, new_id(), "org")
        mine = await show(live, org, "org")
        await owner.expect_event(secret)
        await owner.expect_event(mine)
    async with socket_of(live.client(org, "team_member")) as member:
        await member.say(type="resume", last_event_id=start)
        await member.expect("resumed")
        assert member.events == [str(mine)]


async def test_further_back_than_the_feed_is_a_resync(live: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as me:
        await me.say(type="resume", last_event_id=str(OLD))
        await me.expect("resync")
        await me.expect_event(await show(live, org))


async def test_more_than_is_sent_at_once_is_a_resync(
    live: Harness, start_service: StartService, org: UUID
) -> None:
    async with (
        start_service("websocket", instance=live.instance, resume_events=5) as small,
        socket_of(small.client(org)) as me,
    ):
        start = me.messages[0]["last_event_id"]
        for _ in range(6):
            last = await show(live, org)
        await me.expect_event(last)
        await me.say(type="resume", last_event_id=start)
        await me.expect("resync")


async def test_what_commits_late_is_found_although_later_ones_were_seen(live: Harness, org: UUID) -> None:
    """A transaction of another replica that began before a look and ended after it, and was never told of."""
    late = new_id()
    async with socket_of(live.client(org)) as me:
        async with live.app.db.transaction(org) as tx:
            await feed.write(tx, [_entry(org, late)])
            for _ in range(2):
                await live.app.own.catch_up.look()
            await me.expect_event(await show(live, org))
            assert str(late) not in me.events
        await me.expect_event(late)


def _entry(org: UUID, event_id: UUID) -> Entry:
    text = f'{{"id":"{event_id}","data":{{}}}}'
    return Entry(event_id, org, "contact.created.v1", "org", text)


async def test_the_feed_keeps_a_day(live: Harness) -> None:
    """Hours are made ahead and dropped behind; each is protected like the feed itself, and what nothing is sought by is
    not analyzed."""
    db = live.app.db
    last = await db.fetchval(
        "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'feed'::regclass"
    )
    admin = await asyncpg.connect(live.instance.admin_dsn())
    try:
        await admin.execute(f"DROP TABLE websocket.{last}")
    finally:
        await admin.close()
    for _ in range(2):
        await feed.keep_partitions(db)
    sql = """
        SELECT count(*) AS hours, bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS guarded,
               bool_and(a.attstattarget = 0) AS skipped
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'event' WHERE i.inhparent = 'feed'::regclass"""
    row = await db.fetchrow(sql)
    assert row is not None
    assert (row["hours"], row["guarded"], row["skipped"]) == (28, True, True)
