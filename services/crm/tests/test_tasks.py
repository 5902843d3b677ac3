"""Tasks, notes and the timeline over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.crm import NoteCreated, TaskCompleted, TaskCreated, TaskDue, TaskUpdated
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.crm.tests.conftest import Colleague


async def _contact(crm: Harness, org: UUID, **fields: Any) -> str:
    return str((await crm.client(org).post("/v1/contacts", {"name": "Zoë", **fields})).json()["id"])


async def test_a_task_from_its_making_to_its_end(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client, assignee, contact = crm.client(org), await colleague(), await _contact(crm, org)
    made = await client.post(
        "/v1/tasks",
        {
            "title": " Call her back ",
            "assignee_id": str(assignee),
            "due_at": "2031-05-01T10:00:00+02:00",
            "contact_id": contact,
            "conversation_id": str(new_id()),
        },
    )
    assert made.status == 201
    task = made.json()
    assert (task["title"], task["state"], task["due_at"]) == ("Call her back", "open", "2031-05-01T08:00:00Z")
    assert (await crm.spy.expect(TaskCreated, lambda event: event.org == org)).data.assignee_id == assignee

    path = f"/v1/tasks/{task['id']}"
    moved = await client.patch(path, {"due_at": None}, headers={"If-Match": made.headers["ETag"]})
    assert moved.json()["due_at"] is None
    assert "due_at" in (await crm.spy.expect(TaskUpdated, lambda event: event.org == org)).data.changed

    done = await client.post(f"{path}/complete")
    assert done.json()["state"] == "completed"
    event = await crm.spy.expect(TaskCompleted, lambda event: event.org == org)
    assert event.sequence == 3
    again = await client.post(f"{path}/complete")
    assert (again.status, again.headers["ETag"]) == (200, '"3"')
    assert (await client.patch(path, {"title": "Too late"})).status == 409
    assert len(crm.spy.of(TaskCompleted, org)) == 1
    timeline = (await client.get(f"/v1/contacts/{contact}/timeline")).json()["items"]
    assert [entry["kind"] for entry in timeline] == ["task.completed", "task.created", "contact.created"]


async def test_a_task_says_when_it_is_due_once(crm: Harness, org: UUID) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    made = await crm.client(org).post("/v1/tasks", {"title": "Ring", "due_at": soon.isoformat()})
    event = await crm.spy.expect(TaskDue, lambda event: event.org == org)
    assert (str(event.data.task_id), event.sequence) == (made.json()["id"], 2)
    assert event.envelope.audience == "org"
    assert event.envelope.correlationid == crm.spy.of(TaskCreated, org)[0].envelope.correlationid


async def test_a_task_that_was_done_or_put_off_is_not_due(crm: Harness, org: UUID) -> None:
    client, soon = crm.client(org), (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    done = (await client.post("/v1/tasks", {"title": "Done", "due_at": soon})).json()["id"]
    put_off = (await client.post("/v1/tasks", {"title": "Later", "due_at": soon})).json()["id"]
    await client.post(f"/v1/tasks/{done}/complete")
    await client.patch(f"/v1/tasks/{put_off}", {"due_at": "2031-05-01T10:00:00Z"})
    async with crm.app.db.transaction(org) as tx:  # as if it were in an hour
        await tx.execute("UPDATE tasks SET due_at = due_at - interval '1 hour'")
    moved = "UPDATE jobs SET due_at = due_at - interval '1 hour' WHERE organization_id = $1"
    await crm.app.db.execute(moved, org)
    await client.post("/v1/tasks", {"title": "Now", "due_at": datetime.now(UTC).isoformat()})
    event = await crm.spy.expect(TaskDue, lambda event: event.org == org)
    assert event.data.title == "Now"
    assert len(crm.spy.of(TaskDue, org)) == 1


async def test_lists_begin_with_what_is_due_first(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client, mine = crm.client(org), await colleague()
    for title, due in (
        ("C", None),
        ("B", "2031-06-01T00:00:00Z"),
        ("A", "2031-05-01T00:00:00Z"),
        ("D", None),
    ):
        body = {"title": title, "due_at": due, "assignee_id": str(mine)}
        assert (await client.post("/v1/tasks", body)).status == 201
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await client.get(f"/v1/tasks?assignee_id={mine}&state=open&limit=1{cursor}")).json()
        seen += [task["title"] for task in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == ["A", "B", "C", "D"]
    assert (await client.get(f"/v1/tasks?assignee_id={new_id()}")).json()["items"] == []


async def test_a_time_without_its_zone_is_refused(crm: Harness, org: UUID) -> None:
    answer = await crm.client(org).post("/v1/tasks", {"title": "Call", "due_at": "2031-05-01T10:00:00"})
    assert answer.status == 422
    assert answer.json()["errors"][0]["pointer"] == "/due_at"


async def test_notes_are_about_somebody_and_stand_in_both_timelines(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    company = (await client.post("/v1/companies", {"name": "Ink"})).json()["id"]
    contact = await _contact(crm, org, company_id=company)
    made = await client.post("/v1/notes", {"text": "Prefers blue.\nAlways.", "contact_id": contact})
    assert made.status == 201
    assert made.json()["author_id"] == str(client.user_id)
    event = await crm.spy.expect(NoteCreated, lambda event: event.org == org)
    assert event.data.text == "Prefers blue.\nAlways."
    for path in (f"/v1/contacts/{contact}", f"/v1/companies/{company}"):
        entries = (await client.get(f"{path}/timeline")).json()["items"]
        assert (entries[0]["kind"], entries[0]["reference_id"]) == ("note.created", made.json()["id"])
        assert "Prefers blue" not in str(entries)
    listed = (await client.get(f"/v1/notes?contact_id={contact}")).json()["items"]
    assert [note["id"] for note in listed] == [made.json()["id"]]
    assert (await client.post("/v1/notes", {"text": "About nobody"})).status == 422
    long = await client.post("/v1/notes", {"text": "ä" * 5000, "contact_id": contact})
    assert long.json()["errors"][0]["pointer"] == "/text"


async def test_timelines_are_paged_from_the_latest(crm: Harness, org: UUID) -> None:
    client, contact = crm.client(org), await _contact(crm, org)
    made = [
        (await client.post("/v1/notes", {"text": str(number), "contact_id": contact})).json()["id"]
        for number in range(5)
    ]
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await client.get(f"/v1/contacts/{contact}/timeline?limit=2{cursor}")).json()
        seen += [entry["reference_id"] for entry in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == [*reversed(made), contact]
