"""Events to publish, and effects to look for."""

from collections import Counter
from uuid import UUID

from flotilla.events.crm import CompanyUpdated, TaskCreated
from flotilla.ids import new_id
from flotilla.testing import Harness


def task(
    title: str = "call back", task_id: UUID | None = None, company_id: UUID | None = None
) -> TaskCreated:
    return TaskCreated(
        task_id=task_id or new_id(),
        title=title,
        state="open",
        assignee_id=None,
        due_at=None,
        contact_id=None,
        company_id=company_id,
        conversation_id=None,
        completed_at=None,
    )


def company(company_id: UUID, name: str) -> CompanyUpdated:
    return CompanyUpdated(company_id=company_id, name=name, domain=None, owner_id=None, tags=[])


async def applied(service: Harness, org: UUID) -> Counter[UUID]:
    async with service.app.db.transaction(org) as tx:
        return Counter(row["id"] for row in await tx.fetch("SELECT id FROM applied"))
