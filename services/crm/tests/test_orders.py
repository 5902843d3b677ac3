"""Lists of contacts, companies and what is done with them, in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders

from services.crm.tests.bookings import a_contact, a_host, booked, tomorrow
from services.crm.tests.conftest import Colleague


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


DAYS = ("2031-03-01", None, "2030-01-01", "2030-01-01", None, "2032-01-01")


async def test_every_order_of_every_list(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client = crm.client(org)
    condition = {"field": "name", "operator": "is_set"}
    for name, day in zip(NAMES, DAYS, strict=True):
        await _made(client, "/v1/contacts", {"name": name} if day else {})
        company = await _made(client, "/v1/companies", {"name": name})
        await _made(client, "/v1/notes", {"text": name, "company_id": company})
        due = f"{day}T09:00:00Z" if day else None
        await _made(client, "/v1/tasks", {"title": name, "due_at": due})
        await _made(client, "/v1/segments", {"name": name, "condition": condition})
        await _made(client, "/v1/imports", {"name": name})
    contact = await a_contact(crm, org)
    for host in [await a_host(crm, org, colleague) for _ in range(2)]:
        for hours in (5, 2, 9):
            await booked(crm, org, contact, tomorrow(hours), host)
    await _leads(crm, org)
    assert len(await check_orders("crm", client, {})) == 8


async def _leads(crm: Harness, org: UUID) -> None:
    """One of each contact; how conversations become leads is tested elsewhere."""
    async with crm.app.db.transaction(org) as tx:
        await tx.execute(
            "INSERT INTO leads (organization_id, id, contact_id, score, signals, qualified_at)"
            " SELECT $1, gen_random_uuid(), c.id, 20 * (row_number() OVER () % 3), '{}', now()"
            " FROM contacts c WHERE c.organization_id = $1",
            org,
        )
