"""Where contacts live is told by their telephone numbers, whoever changed them."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.crm import ContactLocated
from flotilla.testing import Harness
from flotilla_crm.domain.regions import region_of_number


@pytest.mark.parametrize(
    ("phone", "region"),
    [
        ("+493012345678", "eu"),
        ("+442079460958", "uk"),
        ("+16132345678", "ca"),
        ("+12123456789", "us"),
        ("+17872345678", "us"),
        ("+380441234567", None),
        ("+80012345678", None),
        ("613 234 5678", None),
        (None, None),
    ],
)
def test_a_number_says_whose_law(phone: str | None, region: str | None) -> None:
    assert region_of_number(phone) == region


async def test_where_contacts_live_is_told_as_their_numbers_change(crm: Harness, org: UUID) -> None:
    client = crm.client(org)

    async def made(**fields: Any) -> str:
        answer = await client.post("/v1/contacts", fields)
        assert answer.status == 201, answer.body
        return str(answer.json()["id"])

    async def told(contact_id: str, region: str | None) -> Received[ContactLocated]:
        return await crm.spy.expect(
            ContactLocated,
            lambda event: (str(event.data.contact_id), event.data.region) == (contact_id, region),
        )

    elsewhere, nowhere = await made(phone="+380441234567"), await made(name="Zoë")
    moved = await made(phone="+493012345678")
    first = await told(moved, "eu")
    await client.patch(f"/v1/contacts/{moved}", {"name": "Zoë Groß"})
    for phone, region in (("+16132345678", "ca"), (None, None)):
        await client.patch(f"/v1/contacts/{moved}", {"phone": phone})
        last = await told(moved, region)
    assert first.sequence < last.sequence
    assert len(crm.spy.of(ContactLocated, org)) == 3, f"nothing to tell of {elsewhere}, {nowhere} and a name"
