"""Lists of conversations and of what is in them, in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.events.crm import ContactIdentified
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.linking import link
from flotilla.testing.orders import NAMES, check_orders
from flotilla.testing.simulators.channel import Channel
from flotilla_messaging.domain.inboxes import Inbox
from flotilla_messaging.store import inboxes

from services.messaging.tests.conftest import Received

MANY = 5
OWN = {"list_own_conversations", "list_own_messages"}


async def test_every_order_of_every_list(messaging: Harness, org: UUID, received: Received) -> None:
    client, channels = messaging.client(org), [Channel(new_id()) for _ in range(MANY)]
    conversations = [await received(to=channel) for channel in channels]
    for number in range(2, MANY + 1):
        await received(to=channels[0], number=number)
    await _listed(client, "/v1/conversations", MANY)
    for each in conversations:
        asked = await client.post(f"/v1/conversations/{each}/escalate", {"reason": "manual"})
        assert asked.status == 200, asked.body
    await _attached(messaging, org, conversations[0])
    await _organized(messaging, org)
    ids = {"conversation_id": str(conversations[0])}
    walked = await check_orders("messaging", client, ids, without=OWN)
    assert set(walked) == {"list_conversations", "list_attachments", "list_escalations", "list_inboxes"}
    found = (await client.get("/v1/conversations?state=open&state=snoozed")).json()["items"]
    assert len(found) == MANY
    assert (await client.get("/v1/conversations?state=resolved")).json()["items"] == []

    contact, own = new_id(), messaging.client(org, "client")
    for channel in channels:
        told = ContactIdentified(
            contact_id=contact, identity_id=channel.identity_id, channel="telegram", address="77", name="Zoë"
        )
        await messaging.publish(told, org=org)
    await link(messaging, own, 1, contact)
    await _listed(own, "/v1/portal/conversations", MANY)
    assert set(await check_orders("messaging", own, ids, only=OWN)) == OWN


async def _listed(client: Client, path: str, number: int) -> None:
    async def all_there() -> bool:
        items: list[Any] = (await client.get(path)).json()["items"]
        return len(items) == number

    await eventually(all_there, what=f"all {number} are listed")


async def _organized(messaging: Harness, org: UUID) -> None:
    """Inboxes; an organization begins with one, and how that comes is tested elsewhere."""
    async with messaging.app.db.transaction(org) as tx:
        for name in NAMES:
            inbox = Inbox(id=new_id(), name=name, time_zone="Europe/Berlin", is_default=False)
            assert await inboxes.add(tx, [(org, inbox)])


async def _attached(messaging: Harness, org: UUID, conversation_id: UUID) -> None:
    """Files of a conversation; how they come is tested elsewhere."""
    async with messaging.app.db.transaction(org) as tx:
        await tx.execute(
            "INSERT INTO attachments (organization_id, id, conversation_id, name, state, object, content_type, size,"
            " sha256, created_by)"
            " SELECT $1::uuid, id, $2::uuid, 'photo.png', 'stored', 'nowhere', 'image/png', 7, '', 'user:1'"
            " FROM unnest($3::uuid[]) AS id",
            org,
            conversation_id,
            [new_id() for _ in range(MANY)],
        )
