"""What the bus promises, against the real broker and database."""

from datetime import UTC, datetime
from uuid import UUID

from flotilla.events.crm import NoteCreated, TaskCompleted
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.synthetic import POISON, WAITS

from libs.common.tests.bus.samples import applied, company, task


async def test_a_committed_request_is_published_and_a_failed_one_is_not(
    synthetic: Harness, org: UUID
) -> None:
    client = synthetic.client(org)
    failed = await client.post("/v1/companies", {"name": "fails after emit"})
    made = await client.post("/v1/companies", {"name": "Harbour"})
    assert (failed.status, made.status) == (500, 201)
    await eventually(lambda: _count(synthetic, org, 1))
    assert [event.subject for event in synthetic.spy.events if event.org == org] == [made.json()["id"]]
    await eventually(lambda: _outbox_empty(synthetic))


async def _outbox_empty(service: Harness) -> bool:
    return bool(await service.app.db.fetchval("SELECT count(*) FROM outbox") == 0)


async def _count(service: Harness, org: UUID, events: int) -> bool:
    return len([event for event in service.spy.events if event.org == org]) >= events


async def test_a_repeated_event_has_its_effect_once(synthetic: Harness, org: UUID) -> None:
    wanted, event_id = task(), new_id()
    for _ in range(5):
        await synthetic.publish(wanted, org=org, event_id=event_id)
    await synthetic.publish(wanted_last := task(), org=org)
    await eventually(lambda: _applied(synthetic, org, wanted_last.task_id))
    assert await applied(synthetic, org) == {wanted.task_id: 1, wanted_last.task_id: 1}
    await eventually(lambda: _completed(synthetic, org, 2))
    assert len(synthetic.spy.of(TaskCompleted, org)) == 2


async def _completed(service: Harness, org: UUID, number: int) -> bool:
    return len(service.spy.of(TaskCompleted, org)) >= number


async def _applied(service: Harness, org: UUID, task_id: UUID) -> bool:
    return task_id in await applied(service, org)


async def test_what_is_caused_carries_its_cause(synthetic: Harness, org: UUID) -> None:
    event_id = await synthetic.publish(task(), org=org)
    completed = await synthetic.spy.expect(TaskCompleted, lambda event: event.org == org)
    assert completed.envelope.causationid == event_id
    asked = next(event for event in synthetic.spy.events if event.id == event_id)
    assert completed.envelope.correlationid == asked.envelope.correlationid
    assert completed.envelope.actor == "service:test"


async def test_a_poison_event_in_a_batch_spares_its_neighbours(synthetic: Harness, org: UUID) -> None:
    good = [task() for _ in range(20)]
    poison = task(POISON)
    for each in [*good[:10], poison, *good[10:]]:
        await synthetic.publish(each, org=org)

    async def spared() -> bool:
        parked = await synthetic.app.db.fetchval(
            "SELECT count(*) FROM parked_events WHERE organization_id = $1", org
        )
        return parked == 1 and await applied(synthetic, org) == {each.task_id: 1 for each in good}

    await eventually(spared)
    rows = await synthetic.app.db.fetch("SELECT * FROM parked_events WHERE organization_id = $1", org)
    assert [(row["handler"], row["state"]) for row in rows] == [("record_task", "retrying")]
    assert "in record_task" in rows[0]["stack"]
    client = synthetic.client(org)
    listed = (await client.get("/v1/parked/crm")).json()["items"]
    assert [each["event_id"] for each in listed] == [str(rows[0]["event_id"])]
    other = synthetic.client(new_id())
    assert (await other.get(f"/v1/parked/crm/{rows[0]['event_id']}")).status == 404
    assert (await client.delete(f"/v1/parked/crm/{rows[0]['event_id']}")).status == 204
    assert (await client.get("/v1/parked/crm")).json()["items"] == []


async def test_an_event_before_its_entity_waits_for_it(synthetic: Harness, org: UUID) -> None:
    company_id = new_id()
    early = task(WAITS, company_id=company_id)
    event_id = await synthetic.publish(early, org=org)

    async def held() -> bool:
        state = await synthetic.app.db.fetchval(
            "SELECT state FROM parked_events WHERE event_id = $1", event_id
        )
        return bool(state == "waiting")

    await eventually(held)
    await synthetic.app.db.execute(
        "UPDATE parked_events SET due_at = now() + interval '1 hour' WHERE event_id = $1", event_id
    )
    await synthetic.publish(company(company_id, "late"), org=org, sequence=1)
    await eventually(lambda: _applied(synthetic, org, early.task_id))
    assert not await held()


async def test_disorder_ends_at_the_highest_sequence(synthetic: Harness, org: UUID) -> None:
    company_id = new_id()
    for sequence in (2, 5, 1, 4, 3, 5, 2):
        await synthetic.publish(company(company_id, f"name {sequence}"), org=org, sequence=sequence)
    await synthetic.publish(last := task(), org=org)
    await eventually(lambda: _applied(synthetic, org, last.task_id))
    async with synthetic.app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT name FROM companies WHERE id = $1", company_id) == "name 5"


async def test_a_job_is_done_and_its_row_goes(synthetic: Harness, org: UUID) -> None:
    note = NoteCreated(
        note_id=new_id(),
        author_id=new_id(),
        text="x",
        contact_id=None,
        company_id=None,
        created_at=datetime.now(UTC),
    )
    await synthetic.publish(note, org=org)
    await eventually(lambda: _applied(synthetic, org, note.note_id))
    assert await synthetic.app.db.fetchval("SELECT count(*) FROM jobs WHERE organization_id = $1", org) == 0


async def test_one_organization_never_sees_anothers_rows(synthetic: Harness, org: UUID) -> None:
    await synthetic.client(org).post("/v1/companies", {"name": "ours"})
    other = await synthetic.client(new_id()).get("/v1/companies")
    assert other.json()["items"] == []
    assert await synthetic.app.db.fetch("SELECT * FROM companies") == []
