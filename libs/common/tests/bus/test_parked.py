"""Events that could not be done: tried again by themselves, then left to a person, who replays or discards."""

import asyncio
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from flotilla.bus import parked
from flotilla.bus.declare import RawEvent, RetryLater
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import decode
from flotilla.bus.parked import MAX_ATTEMPTS, delay_after
from flotilla.bus.rerun import rerun_due
from flotilla.events.crm import ContactCreated, TaskCreated
from flotilla.ids import new_id
from flotilla.store.postgres import Row
from flotilla.testing import Harness
from flotilla.testing.orders import check_list

from libs.common.tests.bus import workshop
from libs.common.tests.bus.samples import applied, task
from libs.common.tests.bus.test_dispatch import encoded, handle

READ = "SELECT *, now() AS now FROM parked_events WHERE organization_id = $1"
LEFT = "UPDATE parked_events SET state = 'parked' WHERE organization_id = $1"
BY_OTHERS_TOO = """
INSERT INTO parked_events (event_id, handler, lane, type, organization_id, body, state, error, stack, failed_at)
SELECT event_id, another, lane, type, organization_id, body, state, error, stack, failed_at
FROM parked_events, unnest(ARRAY['another', 'third']) AS another WHERE organization_id = $1"""
"""Three handlers failed on each event, at one time: a page of two ends between them."""


async def row_of(harness: Harness, org: UUID) -> Row | None:
    return await harness.app.db.fetchrow(READ, org)


async def the_row(harness: Harness, org: UUID) -> Row:
    row = await row_of(harness, org)
    assert row
    return row


async def run_again(harness: Harness, org: UUID) -> None:
    """As its time will have come."""
    sql = "UPDATE parked_events SET due_at = now() WHERE organization_id = $1"
    await harness.app.db.execute(sql, org)
    await rerun_due(harness.app, limit=1000)


def early(contact_id: UUID) -> TaskCreated:
    return msgspec.structs.replace(task("early"), contact_id=contact_id)


def contact(contact_id: UUID) -> ContactCreated:
    return ContactCreated(
        contact_id=contact_id,
        name=None,
        email=None,
        phone=None,
        language=None,
        company_id=None,
        owner_id=None,
        tags=[],
        source="api",
    )


async def test_it_is_tried_with_growing_pauses_and_then_left_to_a_person(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails")])
    for attempt in range(1, MAX_ATTEMPTS):
        row = await the_row(still, org)
        assert (row["state"], row["attempts"]) == ("retrying", attempt)
        assert row["due_at"] - row["failed_at"] == delay_after(attempt)
        await run_again(still, org)
    row = await the_row(still, org)
    assert (row["state"], row["attempts"]) == ("parked", MAX_ATTEMPTS)
    await run_again(still, org)
    assert (await the_row(still, org))["attempts"] == MAX_ATTEMPTS
    assert await applied(still, org) == {}


async def test_what_is_not_due_is_left_alone(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails")])
    await rerun_due(still.app, limit=1000)
    assert (await the_row(still, org))["attempts"] == 1


async def test_an_event_before_its_entity_waits_and_then_is_left_too(still: Harness, org: UUID) -> None:
    contact_id = new_id()
    await handle(still, org, [early(contact_id)])
    row = await the_row(still, org)
    assert (row["state"], row["waiting_for"]) == ("waiting", f"contact:{contact_id}")
    assert row["due_at"] - row["failed_at"] == timedelta(seconds=5)
    for _ in range(MAX_ATTEMPTS - 1):
        await run_again(still, org)
    assert (await the_row(still, org))["state"] == "parked"
    await handle_contact(still, org, contact_id)
    row = await the_row(still, org)
    assert (row["state"], row["due_at"] <= row["now"]) == ("waiting", True), "late is not never"


async def test_the_arrival_of_its_entity_makes_it_due(still: Harness, org: UUID) -> None:
    contact_id = new_id()
    await handle(still, org, [early(contact_id)])
    await handle_contact(still, org, contact_id)
    row = await the_row(still, org)
    assert row["due_at"] <= row["now"]


async def handle_contact(harness: Harness, org: UUID, contact_id: UUID) -> None:
    await Dispatcher(harness.app, "arrivals").handle([encoded(contact(contact_id), org).body])


async def test_one_that_is_done_at_last_goes_and_is_done_once(
    still: Harness, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = encoded(each := task("fails"), org).body
    await Dispatcher(still.app, "work").handle([body])
    monkeypatch.setattr(workshop, "FAILS", "nothing any more")
    await run_again(still, org)
    assert await row_of(still, org) is None
    await Dispatcher(still.app, "work").handle([body])
    assert await applied(still, org) == {each.task_id: 1}


async def test_a_person_lists_reads_replays_and_discards(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails"), task("fails")])
    client, stranger = still.client(org, role="admin"), still.client(new_id(), role="admin")
    items = (await client.get("/v1/parked/crm")).json()["items"]
    assert [item["attempts"] for item in items] == [1, 1]
    assert (await stranger.get("/v1/parked/crm")).json()["items"] == []
    path = f"/v1/parked/crm/{items[0]['event_id']}"
    (read,) = (await client.get(path)).json()
    assert "in obey" in read["stack"]
    assert (await client.post(f"{path}/replay")).status == 202
    await rerun_due(still.app, limit=1000)
    (read,) = (await client.get(path)).json()
    assert read["attempts"] == 1, "the attempts before were forgotten"
    for method, where in (("GET", ""), ("POST", "/replay"), ("DELETE", "")):
        assert (await stranger.request(method, path + where)).status == 404
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404
    assert len((await client.get("/v1/parked/crm")).json()["items"]) == 1


async def test_only_who_may_touches_them(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails")])
    event_id = (await the_row(still, org))["event_id"]
    member = still.client(org, role="team_member")
    assert (await member.get("/v1/parked/crm")).status == 403
    assert (await member.delete(f"/v1/parked/crm/{event_id}")).status == 403
    assert (await still.anonymous().get("/v1/parked/crm")).status == 401


async def test_they_are_listed_whole_in_either_order(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails") for _ in range(5)])
    await still.app.db.execute(LEFT, org)
    await still.app.db.execute(BY_OTHERS_TOO, org)
    await check_list(still.client(org), "/v1/parked/crm", ["-failed_at", "failed_at"])
    await check_list(still.client(org), "/v1/parked/crm", ["-failed_at", "failed_at"], state="parked")


async def test_two_replicas_do_not_run_the_same_one(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails") for _ in range(6)])
    sql = "UPDATE parked_events SET due_at = now() WHERE organization_id = $1"
    await still.app.db.execute(sql, org)
    await asyncio.gather(*(rerun_due(still.app, limit=1000) for _ in range(3)))
    rows = await still.app.db.fetch(READ, org)
    assert [row["attempts"] for row in rows] == [2] * 6


async def test_a_handler_that_is_no_more_leaves_its_events_to_a_person(still: Harness, org: UUID) -> None:
    await handle(still, org, [task("fails")])
    sql = "UPDATE parked_events SET handler = 'retired', attempts = $2 WHERE organization_id = $1"
    await still.app.db.execute(sql, org, MAX_ATTEMPTS - 1)
    await run_again(still, org)
    assert (await the_row(still, org))["state"] == "parked"


async def test_an_outside_that_asks_to_come_later_is_heeded(still: Harness, org: UUID) -> None:
    event = encoded(task(), org)
    raw = RawEvent(decode(event.body), event.body)
    await parked.park_raw(still.app.db, "work", "obey", raw, RetryLater(timedelta(minutes=7), "flood wait"))
    row = await the_row(still, org)
    assert row["due_at"] - row["failed_at"] == timedelta(minutes=7)
    assert row["error"] == "RetryLater: flood wait"
