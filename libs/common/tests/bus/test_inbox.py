"""What reactions remember: hourly partitions kept ahead, forgotten after three days, and nothing unknown run."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from flotilla.bus import inbox
from flotilla.bus.dispatch import Dispatcher
from flotilla.ids import derived_id, first_id_at
from flotilla.testing import Harness

from libs.common.tests.bus.samples import applied, task
from libs.common.tests.bus.test_dispatch import encoded, parked

PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'inbox'::regclass"""


async def partitions(harness: Harness) -> set[str]:
    return {row["relname"] for row in await harness.app.db.fetch(PARTITIONS)}


def named(moment: datetime) -> str:
    return f"inbox_{moment.astimezone(UTC):%Y%m%d%H}"


async def test_partitions_are_made_ahead_and_used(still: Harness, org: UUID) -> None:
    await inbox.keep_partitions(still.app.db)
    await inbox.keep_partitions(still.app.db)
    now = datetime.now(UTC)
    assert {named(now + timedelta(hours=hours)) for hours in range(1, 6)} <= await partitions(still)
    soon = now + timedelta(hours=1)
    await Dispatcher(still.app, "work").handle([encoded(task(), org, event_id=derived_id(soon, "soon")).body])
    sql = "SELECT tableoid::regclass::text FROM inbox WHERE event_id = $1"
    assert await still.app.db.fetchval(sql, derived_id(soon, "soon")) == named(soon)


async def test_what_is_older_than_three_days_is_forgotten(still: Harness) -> None:
    old, kept = (datetime.now(UTC) - timedelta(hours=hours) for hours in (80, 60))
    sql = "INSERT INTO inbox (event_id, handler) VALUES ($1, 'obey')"
    ids = [derived_id(moment, "an event") for moment in (old, kept)]
    for id_ in ids:
        await still.app.db.execute(sql, id_)
    await inbox.keep_partitions(still.app.db)
    rows = await still.app.db.fetch("SELECT event_id FROM inbox WHERE event_id = ANY($1)", ids)
    assert [row["event_id"] for row in rows] == [ids[1]]


async def test_a_partition_past_its_time_is_dropped(still: Harness) -> None:
    hour = (datetime.now(UTC) - timedelta(days=4)).replace(minute=0, second=0, microsecond=0)
    bounds = first_id_at(hour), first_id_at(hour + timedelta(hours=1))
    await _as_owner(
        still,
        f"CREATE TABLE {named(hour)} PARTITION OF inbox FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')",
    )
    assert named(hour) in await partitions(still)
    await inbox.keep_partitions(still.app.db)
    assert named(hour) not in await partitions(still)


async def _as_owner(harness: Harness, sql: str) -> None:
    connection = await asyncpg.connect(harness.instance.owner_dsn("crm"))
    try:
        await connection.execute("SET search_path = crm_bus")
        await connection.execute(sql)
    finally:
        await connection.close()


async def test_an_unknown_event_from_before_the_memory_is_parked_not_run(still: Harness, org: UUID) -> None:
    old = derived_id(datetime.now(UTC) - timedelta(days=3, minutes=1), "long ago")
    bodies = [encoded(task(), org, event_id=old).body, encoded(fresh := task(), org).body]
    await Dispatcher(still.app, "work").handle(bodies)
    assert await applied(still, org) == {fresh.task_id: 1}
    assert {error for _, error in await parked(still, org)} == {"ForgottenEventError"}
    rows = await still.app.db.fetch("SELECT state FROM parked_events WHERE event_id = $1", old)
    assert {row["state"] for row in rows} == {"parked"}
