"""Tasks and notes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.tasks import Note, Task

TASK_COLUMNS: Final = (
    "id, sequence, title, state, assignee_id, due_at, contact_id, company_id, conversation_id, created_by, created_at,"
    " completed_at"
)
NOTE_COLUMNS: Final = "id, sequence, author_id, text, contact_id, company_id, created_at"

INSERT_TASK: Final = f"""
INSERT INTO tasks (organization_id, id, title, assignee_id, due_at, contact_id, company_id, conversation_id, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {TASK_COLUMNS}"""  # noqa: S608

UPDATE_TASK: Final = f"""
UPDATE tasks SET sequence = sequence + 1, title = $3, assignee_id = $4, due_at = $5, contact_id = $6, company_id = $7,
                 conversation_id = $8
WHERE organization_id = $1 AND id = $2 RETURNING {TASK_COLUMNS}"""  # noqa: S608

COMPLETE_TASK: Final = f"""
UPDATE tasks SET sequence = sequence + 1, state = 'completed', completed_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'open' RETURNING {TASK_COLUMNS}"""  # noqa: S608

TASK_CAME_DUE: Final = f"""
UPDATE tasks SET sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'open' AND due_at <= now() RETURNING {TASK_COLUMNS}"""  # noqa: S608

READ_TASK: Final = f"SELECT {TASK_COLUMNS} FROM tasks WHERE organization_id = $1 AND id = $2"  # noqa: S608

INSERT_NOTE: Final = f"""
INSERT INTO notes (organization_id, id, author_id, text, contact_id, company_id)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING {NOTE_COLUMNS}"""  # noqa: S608

READ_NOTE: Final = f"SELECT {NOTE_COLUMNS} FROM notes WHERE organization_id = $1 AND id = $2"  # noqa: S608


async def add_task(tx: Transaction, org: UUID, task: Task) -> Task:
    """Write a new task."""
    row = await tx.fetchrow(
        INSERT_TASK,
        org,
        task.id,
        task.title,
        task.assignee_id,
        task.due_at,
        task.contact_id,
        task.company_id,
        task.conversation_id,
        task.created_by,
    )
    return _task(row)


async def save_task(tx: Transaction, org: UUID, task: Task) -> Task:
    """Write a changed task: the result has the next sequence."""
    row = await tx.fetchrow(
        UPDATE_TASK,
        org,
        task.id,
        task.title,
        task.assignee_id,
        task.due_at,
        task.contact_id,
        task.company_id,
        task.conversation_id,
    )
    return _task(row)


async def complete_task(tx: Transaction, org: UUID, task_id: UUID) -> Task | None:
    """The task, done; None where it is not open."""
    row = await tx.fetchrow(COMPLETE_TASK, org, task_id)
    return None if row is None else _task(row)


async def task_came_due(tx: Transaction, org: UUID, task_id: UUID) -> Task | None:
    """The task whose time has come; None where it was done or put off meanwhile."""
    row = await tx.fetchrow(TASK_CAME_DUE, org, task_id)
    return None if row is None else _task(row)


async def read_task(tx: Transaction, org: UUID, task_id: UUID, *, lock: bool = False) -> Task | None:
    """The task, held until the commit with `lock`."""
    row = await tx.fetchrow(READ_TASK + " FOR UPDATE" * lock, org, task_id)
    return None if row is None else _task(row)


async def list_tasks(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Task]:
    """Tasks that fit, in this order, those after the one with the key `after`. `filters`: column → value."""
    where = Where(org).equal(filters).in_reach("tasks", "assignee_id")
    select = f"SELECT {TASK_COLUMNS} FROM tasks"  # noqa: S608
    return [_task(row) for row in await order.read(tx, select, where, after, limit)]


async def add_note(tx: Transaction, org: UUID, note: Note) -> Note:
    """Write a new note."""
    row = await tx.fetchrow(
        INSERT_NOTE, org, note.id, note.author_id, note.text, note.contact_id, note.company_id
    )
    assert row is not None
    return Note(**dict(row))


async def read_note(tx: Transaction, org: UUID, note_id: UUID) -> Note | None:
    """The note."""
    row = await tx.fetchrow(READ_NOTE, org, note_id)
    return None if row is None else Note(**dict(row))


async def list_notes(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Note]:
    """Notes that fit, in this order, those after the one with the key `after`. `filters`: column → value."""
    select = f"SELECT {NOTE_COLUMNS} FROM notes"  # noqa: S608
    where = Where(org).equal(filters)
    return [Note(**dict(row)) for row in await order.read(tx, select, where, after, limit)]


def _task(row: Row | None) -> Task:
    assert row is not None
    return Task(**dict(row))
