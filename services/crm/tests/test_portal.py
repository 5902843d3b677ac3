"""What clients of an organization see of its bookings: their own."""

from uuid import UUID

from flotilla.testing import Harness, eventually
from flotilla.testing.linking import link
from flotilla.testing.orders import check_orders

from services.crm.tests.bookings import a_contact, a_host, post, tomorrow
from services.crm.tests.conftest import Colleague

OWN = "/v1/portal/bookings"


async def test_a_client_sees_their_own_bookings_alone(crm: Harness, org: UUID, colleague: Colleague) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    made = [
        await post(crm, org, contact, tomorrow(hours), host, title=f"Demo {hours}") for hours in range(1, 5)
    ]
    own = [each.json()["id"] for each in made]
    await post(crm, org, await a_contact(crm, org), tomorrow(9), host)
    client = crm.client(org, "client")
    assert (await client.get(OWN)).json()["items"] == []
    await link(crm, client, 1, UUID(contact))

    async def sees() -> bool:
        items = (await client.get(OWN)).json()["items"]
        return [each["id"] for each in items] == own[::-1]

    await eventually(sees, what="whose they are is known")
    page = (await client.get(f"{OWN}?limit=3")).json()
    rest = (await client.get(f"{OWN}?cursor={page['next_cursor']}")).json()["items"]
    assert [each["title"] for each in rest] == ["Demo 1"]
    assert not {"host_id", "contact_id", "reason"} & rest[0].keys()
    assert await check_orders("crm", client, {}, only={"list_own_bookings"})
    assert (await client.get("/v1/bookings")).status == 403
    assert (await crm.client(org).get(OWN)).json()["items"] == [], "an owner is nobody's client"

    sql = "SELECT count(*) FROM bookings"
    async with crm.app.db.transaction(org) as tx:
        assert await tx.fetchval(sql) == 5, "anybody else sees all"
        await tx.execute(f"SET LOCAL flotilla.client = '{client.user_id}'")
        assert await tx.fetchval(sql) == 4
