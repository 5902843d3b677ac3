"""Tasks that other services ask for and take back."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.crm import TaskDeleteRequested, TaskRequested
from flotilla.store.postgres import Row, Transaction

from flotilla_crm.domain.contacts import ASSIGNABLE_ROLES
from flotilla_crm.domain.tasks import Task
from flotilla_crm.store.tasks import TASK_COLUMNS

# Each wish with what speaks against it, or the task that was made of it.
GRANT: Final = f"""
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::uuid[],
                         $8::uuid[]) AS t (org, request, title, assignee, due, contact, company, conversation)
), checked AS (
    SELECT w.*, CASE
        WHEN w.title = '' THEN 'untitled'
        WHEN w.assignee IS NOT NULL AND NOT EXISTS (
            SELECT FROM users u
            WHERE u.organization_id = w.org AND u.id = w.assignee AND u.active AND u.role = ANY ($9))
            THEN 'unknown_assignee'
        WHEN w.contact IS NOT NULL AND NOT EXISTS (
            SELECT FROM contacts c WHERE c.organization_id = w.org AND c.id = w.contact) THEN 'unknown_contact'
        WHEN w.company IS NOT NULL AND NOT EXISTS (
            SELECT FROM companies c WHERE c.organization_id = w.org AND c.id = w.company) THEN 'unknown_company'
        END AS refused
    FROM wanted w
), made AS (
    INSERT INTO tasks (organization_id, id, title, assignee_id, due_at, contact_id, company_id, conversation_id)
    SELECT org, request, title, assignee, due, contact, company, conversation FROM checked WHERE refused IS NULL
    RETURNING organization_id, {TASK_COLUMNS}
)
SELECT checked.request, checked.refused, made.*
FROM checked LEFT JOIN made ON made.organization_id = checked.org AND made.id = checked.request"""  # noqa: S608

# Only what is still to be done; what is done stays, for somebody did it.
DELETE: Final = """
WITH wanted AS (
    SELECT DISTINCT org, task FROM unnest($1::uuid[], $2::uuid[]) AS t (org, task)
), gone AS (
    DELETE FROM tasks USING wanted
    WHERE tasks.organization_id = wanted.org AND tasks.id = wanted.task AND tasks.state = 'open'
    RETURNING tasks.organization_id, tasks.id, tasks.sequence, tasks.contact_id, tasks.company_id, tasks.conversation_id
)
SELECT wanted.org, wanted.task, now() AS now, gone.id IS NOT NULL AS deleted,
       coalesce(gone.sequence, 0) + 1 AS sequence, gone.contact_id, gone.company_id, gone.conversation_id,
       EXISTS (SELECT FROM tasks t WHERE t.organization_id = wanted.org AND t.id = wanted.task
               AND t.state = 'completed') AS completed
FROM wanted LEFT JOIN gone ON gone.organization_id = wanted.org AND gone.id = wanted.task"""


async def grant(tx: Transaction, batch: Sequence[Received[TaskRequested]]) -> dict[UUID, Task | str]:
    """Make the tasks that can be made: request → the task, or why there is none."""
    rows = await tx.fetch(
        GRANT,
        [event.org for event in batch],
        [event.data.request_id for event in batch],
        [(event.data.title or "").strip() for event in batch],
        [event.data.assignee_id for event in batch],
        [event.data.due_at for event in batch],
        [event.data.contact_id for event in batch],
        [event.data.company_id for event in batch],
        [event.data.conversation_id for event in batch],
        ASSIGNABLE_ROLES,
    )
    return {row["request"]: row["refused"] or _task(row) for row in rows}


async def delete(tx: Transaction, batch: Sequence[Received[TaskDeleteRequested]]) -> dict[UUID, Row]:
    """Remove the tasks that are open: the task's id → what became of it."""
    rows = await tx.fetch(DELETE, [event.org for event in batch], [event.data.cancels for event in batch])
    return {row["task"]: row for row in rows}


def _task(row: Row) -> Task:
    beside = ("request", "refused", "organization_id")
    return Task(**{key: value for key, value in row.items() if key not in beside})
