"""/v1/tasks."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import SORT
from flotilla.security.reach import check_mine, owner_of_new
from flotilla.store.order import BY_TIME, Order, both
from pydantic import AwareDatetime

from flotilla_crm import commands
from flotilla_crm.api.values import Moment, Title, check_known
from flotilla_crm.domain.tasks import Task
from flotilla_crm.store import tasks as store

tasks = Routes("/v1/tasks", tag="tasks")
NEVER = datetime.max.replace(tzinfo=UTC)
"""Where tasks without a time stand: as the driver writes and reads `infinity`."""
Sorts = Annotated[Literal["due_at", "-due_at", "-created_at", "created_at"], Query(description=SORT)]
_DUE: Final = Order(("due_order", "id"), (datetime, UUID), key=lambda task: (task.due_at or NEVER, task.id))
ORDERS: Final = {**both("due_at", _DUE), **BY_TIME}


class TaskIn(Written):
    """A new task."""

    title: Title
    assignee_id: UUID | None = None
    due_at: Moment | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    conversation_id: UUID | None = None


class TaskPatch(Patch):
    """What shall be different; a field that is left out stays."""

    title: Title = ""
    assignee_id: UUID | None = None
    due_at: Moment | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    conversation_id: UUID | None = None


class TaskOut(Shown):
    """A task."""

    id: UUID
    title: str
    state: Literal["open", "completed"]
    assignee_id: UUID | None
    due_at: AwareDatetime | None
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None
    created_by: UUID | None
    created_at: AwareDatetime
    completed_at: AwareDatetime | None


@tasks.get("", permission="tasks:read", reach="rows")
async def list_tasks(
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Literal["open", "completed"] | None = None,
    assignee_id: UUID | None = None,
    contact_id: UUID | None = None,
    company_id: UUID | None = None,
    conversation_id: UUID | None = None,
    sort: Sorts = "due_at",
) -> Page[TaskOut]:
    """The soonest due first, those without a time last; or in the order of `sort`."""
    filters = {
        "state": state,
        "assignee_id": assignee_id,
        "contact_id": contact_id,
        "company_id": company_id,
        "conversation_id": conversation_id,
    }
    order = ORDERS[sort]
    found = await store.list_tasks(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([TaskOut.model_validate(task) for task in found], sort, order)


@tasks.post("", permission="tasks:write", reach="rows", status_code=201)
async def create_task(body: TaskIn, tx: Tx, who: Who, response: Response) -> TaskOut:
    """Make a task."""
    given = body.model_dump()
    given["assignee_id"] = owner_of_new(who, "tasks:write", body.assignee_id)
    await check_known(
        tx, who.org, {field: given[field] for field in ("assignee_id", "contact_id", "company_id")}
    )
    task = await commands.create_task(tx, who, given)
    set_etag(response, task.sequence)
    response.headers["Location"] = f"/v1/tasks/{task.id}"
    return TaskOut.model_validate(task)


@tasks.get("/{task_id}", permission="tasks:read", reach="rows")
async def read_task(task_id: UUID, tx: Tx, who: Who, response: Response) -> TaskOut:
    """One task."""
    task = _there(await store.read_task(tx, who.org, task_id))
    set_etag(response, task.sequence)
    return TaskOut.model_validate(task)


@tasks.patch("/{task_id}", permission="tasks:write", reach="rows")
async def change_task(
    task_id: UUID, body: TaskPatch, tx: Tx, who: Who, request: Request, response: Response
) -> TaskOut:
    """Change some fields of an open task; with If-Match, only the state that was read."""
    task = _there(await store.read_task(tx, who.org, task_id, lock=True))
    check_mine(who, "tasks:write", task.assignee_id)
    check_if_match(request, task.sequence)
    if not task.open:
        raise ConflictError("The task is completed.")
    wanted = body.model_dump(include=body.model_fields_set)
    ids = ("assignee_id", "contact_id", "company_id")
    new = {field: wanted[field] for field in ids if field in wanted and wanted[field] != getattr(task, field)}
    await check_known(tx, who.org, new)
    task = await commands.change_task(tx, who, task, wanted)
    set_etag(response, task.sequence)
    return TaskOut.model_validate(task)


@tasks.post("/{task_id}/complete", permission="tasks:write", reach="rows")
async def complete_task(task_id: UUID, tx: Tx, who: Who, response: Response) -> TaskOut:
    """Say that it is done; saying it again changes nothing."""
    found = _there(await store.read_task(tx, who.org, task_id, lock=True))
    check_mine(who, "tasks:write", found.assignee_id)
    task = _there(await commands.complete_task(tx, who, task_id))
    set_etag(response, task.sequence)
    return TaskOut.model_validate(task)


def _there(task: Task | None) -> Task:
    if task is None:
        raise NotFoundError("There is no task with this id.")
    return task
