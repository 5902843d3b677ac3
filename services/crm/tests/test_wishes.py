"""Tasks that other services ask for and take back, in whatever order the wishes come."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.crm import (
    TaskCreated,
    TaskDeleted,
    TaskDeleteFailed,
    TaskDeleteRequested,
    TaskFailed,
    TaskRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Harness


def wished(**fields: Any) -> TaskRequested:
    given: dict[str, Any] = {
        "request_id": new_id(),
        "title": "Deliver: 200 mugs",
        "assignee_id": None,
        "due_at": None,
        "contact_id": None,
        "company_id": None,
        "conversation_id": None,
    }
    return TaskRequested(**given | fields)


def taken_back(wish: TaskRequested) -> TaskDeleteRequested:
    return TaskDeleteRequested(request_id=new_id(), cancels=wish.request_id, reason="The deal went back")


async def ask(crm: Harness, org: UUID, wish: TaskRequested | TaskDeleteRequested) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="service:pipeline")
    await crm.publish(wish, org=org, sequence=1, cause=cause)


async def answer(crm: Harness, wish: Any, type_: Any) -> Any:
    return await crm.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


async def test_a_task_is_made_and_taken_back(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    contact = UUID((await client.post("/v1/contacts", {"name": "Zoë"})).json()["id"])
    wish = wished(contact_id=contact)
    await ask(crm, org, wish)
    made = await answer(crm, wish, TaskCreated)
    assert (made.data.task_id, made.data.contact_id) == (wish.request_id, contact)
    path = f"/v1/tasks/{wish.request_id}"
    shown = (await client.get(path)).json()
    assert (shown["title"], shown["created_by"]) == ("Deliver: 200 mugs", None)
    back = taken_back(wish)
    await ask(crm, org, back)
    gone = await answer(crm, back, TaskDeleted)
    assert (gone.data.task_id, gone.sequence) == (wish.request_id, 2)
    assert (await client.get(path)).status == 404
    entries = (await client.get(f"/v1/contacts/{contact}/timeline")).json()["items"]
    assert [entry["kind"] for entry in entries][:2] == ["task.deleted", "task.created"]


async def test_a_wish_that_was_taken_back_before_it_came_is_refused(crm: Harness, org: UUID) -> None:
    wish = wished()
    back = taken_back(wish)
    await ask(crm, org, back)
    assert (await answer(crm, back, TaskDeleted)).data.task_id == wish.request_id
    await ask(crm, org, wish)
    assert (await answer(crm, wish, TaskFailed)).data.reason == "cancelled"
    assert not crm.spy.of(TaskCreated, org)


async def test_whichever_comes_first_nothing_is_left_of_what_was_taken_back(crm: Harness, org: UUID) -> None:
    wishes = [wished() for _ in range(20)]
    backs = [taken_back(wish) for wish in wishes]
    await asyncio.gather(*(ask(crm, org, each) for pair in zip(wishes, backs, strict=True) for each in pair))
    for back in backs:
        await answer(crm, back, TaskDeleted)
    made = {event.data.task_id for event in crm.spy.of(TaskCreated, org)}
    for wish in wishes:
        if wish.request_id not in made:
            assert (await answer(crm, wish, TaskFailed)).data.reason == "cancelled"
    assert (await crm.client(org).get("/v1/tasks")).json()["items"] == []


async def test_a_task_that_is_done_stays(crm: Harness, org: UUID) -> None:
    wish = wished()
    await ask(crm, org, wish)
    await answer(crm, wish, TaskCreated)
    await crm.client(org).post(f"/v1/tasks/{wish.request_id}/complete")
    back = taken_back(wish)
    await ask(crm, org, back)
    assert (await answer(crm, back, TaskDeleteFailed)).data.reason == "completed"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"title": " "}, "untitled"),
        ({"title": None}, "untitled"),
        ({"assignee_id": new_id()}, "unknown_assignee"),
        ({"contact_id": new_id()}, "unknown_contact"),
        ({"company_id": new_id()}, "unknown_company"),
    ],
)
async def test_what_cannot_be_a_task_is_refused(
    crm: Harness, org: UUID, fields: dict[str, Any], reason: str
) -> None:
    wish = wished(**fields)
    await ask(crm, org, wish)
    assert (await answer(crm, wish, TaskFailed)).data.reason == reason
    back = taken_back(wish)
    await ask(crm, org, back)
    await answer(crm, back, TaskDeleted)


async def test_a_wish_that_comes_twice_is_granted_once(crm: Harness, org: UUID) -> None:
    wish, other = wished(), wished()
    await asyncio.gather(*(ask(crm, org, wish) for _ in range(3)))
    await ask(crm, org, other)
    await answer(crm, wish, TaskCreated)
    await answer(crm, other, TaskCreated)
    assert len(crm.spy.of(TaskCreated, org)) == 2
