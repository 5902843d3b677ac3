"""A batch whose parts fail in every way: exactly what fails is parked, and nothing is lost in silence."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import msgspec
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import Outgoing, encode
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.events.crm import TaskCreated
from flotilla.ids import new_id
from flotilla.testing import Harness

from libs.common.tests.bus.samples import applied, task
from libs.common.tests.bus.workshop import OBEYED


def encoded(data: Event, org: UUID, *, sequence: int = 1, event_id: UUID | None = None) -> Outgoing:
    return encode(
        data, org=org, sequence=sequence, cause=Cause.fresh("service:test"), region="eu", event_id=event_id
    )


async def handle(harness: Harness, org: UUID, tasks: Sequence[TaskCreated], lane: str = "work") -> None:
    await Dispatcher(harness.app, lane).handle([encoded(each, org).body for each in tasks])


async def parked(harness: Harness, org: UUID) -> list[tuple[str, str]]:
    """(handler, the error's type), sorted."""
    sql = "SELECT handler, error FROM parked_events WHERE organization_id = $1"
    rows = await harness.app.db.fetch(sql, org)
    return sorted((row["handler"], row["error"].split(":")[0]) for row in rows)


async def remarked(harness: Harness, org: UUID) -> Counter[UUID]:
    async with harness.app.db.transaction(org) as tx:
        return Counter(row["id"] for row in await tx.fetch("SELECT id FROM effects WHERE note = $1", OBEYED))


def ids(tasks: Sequence[TaskCreated]) -> Counter[UUID]:
    return Counter(each.task_id for each in tasks)


async def test_one_bad_event_is_undone_in_its_handler_only(still: Harness, org: UUID) -> None:
    good, bad = [task() for _ in range(6)], task("fails")
    await handle(still, org, [*good[:3], bad, *good[3:]])
    assert await applied(still, org) == ids(good)
    assert await remarked(still, org) == ids([*good, bad])
    assert await parked(still, org) == [("obey", "ValueError")]


async def test_whoever_makes_the_commit_fail_is_found_and_the_others_are_not_blamed(
    still: Harness, org: UUID
) -> None:
    good, bad = [task() for _ in range(6)], task("unwritable")
    await handle(still, org, [*good[:3], bad, *good[3:]])
    assert await applied(still, org) == ids(good)
    assert await remarked(still, org) == ids([*good, bad])
    assert await parked(still, org) == [("obey", "UntranslatableCharacterError")]


async def test_alone_too_one_handler_is_not_blamed_for_anothers_commit(still: Harness, org: UUID) -> None:
    bad = task("unwritable")
    await handle(still, org, [bad])
    assert await applied(still, org) == {}
    assert await remarked(still, org) == ids([bad])
    assert await parked(still, org) == [("obey", "UntranslatableCharacterError")]


async def test_a_swallowed_error_of_the_database_is_no_success(still: Harness, org: UUID) -> None:
    good, bad = [task() for _ in range(3)], task("swallows")
    await handle(still, org, [good[0], bad, *good[1:]])
    assert await applied(still, org) == ids(good)
    assert [handler for handler, _ in await parked(still, org)] == ["obey"]


async def test_many_bad_ones_among_many_are_each_found(still: Harness, org: UUID) -> None:
    tasks = [task("fails" if number % 7 == 0 else "call back") for number in range(50)]
    await handle(still, org, tasks)
    assert await applied(still, org) == ids([each for each in tasks if each.title != "fails"])
    assert await parked(still, org) == [("obey", "ValueError")] * 8


async def test_an_event_too_large_to_emit_is_parked_not_published(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("too large"), good := task()])
    assert await applied(still, org) == ids([good])
    assert await parked(still, org) == [("obey", "EventTooLargeError")]


async def test_what_is_no_event_is_parked_once_and_spares_its_batch(still: Harness, org: UUID) -> None:
    good = task()
    envelope = msgspec.json.decode(encoded(good, org).body)
    unknown = encoded(task(), org).body.replace(b"task.created.v1", b"task.invented.v1")
    broken_contract = msgspec.json.encode({**envelope, "id": str(new_id()), "data": {"task_id": 5}})
    nested = b'{"data":' * 50_000
    bad = [b"", b"no json", b'{"specversion":"1.0","type":"\xff"}', nested, unknown, broken_contract]
    for _ in range(2):
        await Dispatcher(still.app, "work").handle([*bad, encoded(good, org, event_id=good.task_id).body])
    assert await applied(still, org) == ids([good])
    rows = await still.app.db.fetch("SELECT type, state FROM parked_events WHERE handler = ''")
    assert Counter((row["type"], row["state"]) for row in rows) == {
        ("unreadable", "parked"): 4,
        ("task.invented.v1", "parked"): 1,
        ("task.created.v1", "parked"): 1,
    }


async def test_the_same_event_twice_in_a_batch_is_one(still: Harness, org: UUID) -> None:
    body = encoded(each := task(), org).body
    await Dispatcher(still.app, "work").handle([body, body])
    await Dispatcher(still.app, "work").handle([body])
    assert await applied(still, org) == ids([each])


async def test_events_of_several_organizations_share_a_batch(still: Harness) -> None:
    orgs = [new_id() for _ in range(5)]
    tasks = {org: task() for org in orgs}
    bodies = [encoded(each, org).body for org, each in tasks.items()]
    await Dispatcher(still.app, "work").handle(bodies)
    for org, each in tasks.items():
        assert await applied(still, org) == ids([each])


async def test_an_error_kept_with_an_event_quotes_nothing(still: Harness, org: UUID) -> None:
    await handle(still, org, [bad := task("fails")])
    sql = "SELECT error, stack FROM parked_events WHERE organization_id = $1"
    row = await still.app.db.fetchrow(sql, org)
    assert row
    assert row["error"] == "ValueError"
    assert "in obey" in row["stack"]
    assert str(bad.task_id) not in row["stack"]


async def test_an_event_of_another_region_is_stored_nowhere_and_holds_nobody_up(
    still: Harness, org: UUID
) -> None:
    ours, foreign = task(), task("fails")
    body = encoded(foreign, org).body.replace(b'"region":"eu"', b'"region":"us"')
    assert b'"us"' in body
    unknown = body.replace(b"task.created.v1", b"task.invented.v9")
    await Dispatcher(still.app, "work").handle([body, encoded(ours, org).body, unknown])
    assert await applied(still, org) == ids([ours])
    assert await remarked(still, org) == ids([ours])
    assert await parked(still, org) == []
