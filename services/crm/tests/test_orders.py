"""Lists of contacts, companies and what is done with them, in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness, eventually
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
        segment = await _made(client, "/v1/segments", {"name": name, "condition": condition})
        file = await _made(client, "/v1/imports", {"name": name})
    contact = await a_contact(crm, org)
    for host in [await a_host(crm, org, colleague) for _ in range(4)][:2]:
        for hours in (5, 2, 9):
            await booked(crm, org, contact, tomorrow(hours), host)
    # Of whom nothing is told meanwhile, as bookings are once they are confirmed.
    person = await a_contact(crm, org)
    await _told_of(client, person, company)
    await _by_themselves(crm, org, file)
    members = f"/v1/segments/{segment}/members"

    async def filled() -> bool:
        named = 2 + sum(day is not None for day in DAYS)
        return len((await client.get(members)).json()["items"]) == named

    await eventually(filled, what="everybody with a name is in the segment")
    ids = {"contact_id": person, "company_id": company, "segment_id": segment, "import_id": file}
    walked = await check_orders("crm", client, ids, without={"list_own_bookings"})
    assert len(walked) == 15, walked


async def _told_of(client: Client, contact: str, company: str) -> None:
    """What lists of a contact and of a company have."""
    for channel in ("email", "telegram", "email", "telegram"):
        await _made(client, "/v1/notes", {"text": "Likes tea", "contact_id": contact, "company_id": company})
        said = {"channel": channel, "purpose": "marketing", "state": "granted", "source": "form"}
        await _made(client, f"/v1/contacts/{contact}/consents", said)
        other = await _made(client, "/v1/contacts", {})
        await _made(client, f"/v1/contacts/{contact}/merges", {"contact_id": other})


async def _by_themselves(crm: Harness, org: UUID, file: str) -> None:
    """A lead of each contact, and mistakes of a file; how they come about is tested elsewhere."""
    async with crm.app.db.transaction(org) as tx:
        await tx.execute(
            "INSERT INTO leads (organization_id, id, contact_id, score, signals, qualified_at)"
            " SELECT $1, gen_random_uuid(), c.id, 20 * (row_number() OVER () % 3), '{}', now()"
            " FROM contacts c WHERE c.organization_id = $1",
            org,
        )
        await tx.execute(
            "INSERT INTO import_errors (organization_id, import_id, row_number, place, field, detail)"
            " SELECT $1::uuid, $2::uuid, number / 2, number % 2, 'email', 'It is none: ' || number"
            " FROM generate_series(2, 9) AS number",
            org,
            UUID(file),
        )
