"""Lists of campaigns, sequences and their people in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_list, check_orders

from services.campaign.tests.conftest import HELLO, WAIT, enrolled, published


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


async def test_every_order_of_every_list(campaign: Harness, org: UUID) -> None:
    client = campaign.client(org)
    for name in NAMES:
        steps = [{"type": "send", "text": "Still there?"}]
        await _made(client, "/v1/sequences", {"name": name, "steps": steps})
        id_ = await _made(client, "/v1/campaigns", {"name": name, "message": {"text": "Our sale!"}})
        await _made(client, "/v1/suppressions", {"contact_id": str(new_id())})
    people = [{"contact_id": str(new_id())} for _ in NAMES]
    assert (await client.post(f"/v1/campaigns/{id_}/people", {"people": people})).status == 204
    sequence_id = await published(campaign, org, steps=[WAIT, HELLO])
    made = [await enrolled(campaign, org, sequence_id) for _ in NAMES]
    assert (await client.post(f"/v1/enrolments/{made[2]['id']}/stop")).json()["state"] == "stopped"
    walked = await check_orders("campaign", client, {"campaign_id": id_, "sequence_id": sequence_id})
    assert set(walked) == {
        *("list_campaigns", "list_campaign_people", "list_sequences", "list_enrolments", "list_suppressions"),
    }
    enrolments = f"/v1/sequences/{sequence_id}/enrolments"
    await check_list(client, enrolments, ["-created_at", "created_at"], state="active")
