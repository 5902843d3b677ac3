"""One campaign on stores of its own for all tests; each test has an organization of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived, MessageRequested, MessageSent
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

SETTINGS: dict[str, Any] = {"unbind_after_seconds": 0.2, "listen_seconds": 3600}
HELLO: dict[str, Any] = {"type": "send", "text": "Hello {{ name | there }}!"}
AGAIN: dict[str, Any] = {"type": "send", "text": "Still there?"}
WAIT: dict[str, Any] = {"type": "wait", "amount": 2, "unit": "days"}


@pytest.fixture(scope="session")
async def campaign(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("campaign", **SETTINGS) as harness:
        yield harness


def received(conversation_id: UUID, text: str = "Yes, tell me more", **fields: Any) -> MessageReceived:
    """A person's message."""
    given: dict[str, Any] = {
        "message_id": new_id(),
        "conversation_id": conversation_id,
        "position": 1,
        "account_id": new_id(),
        "channel": "telegram",
        "identity_id": new_id(),
        "contact_id": None,
        "assignee_id": None,
        "sender": SenderProfile(address="4711", name="Zoë Groß"),
        "text": text,
        "sent_at": datetime.now(UTC),
        "ai_enabled": True,
        "first": False,
    }
    return MessageReceived(**given | fields)


def sent(wish: Received[MessageRequested], conversation_id: UUID | None = None) -> MessageSent:
    """As messaging would answer; it finds a conversation where the wish names none."""
    now = datetime.now(UTC)
    return MessageSent(
        message_id=wish.data.request_id,
        conversation_id=conversation_id or wish.data.conversation_id or new_id(),
        position=2,
        account_id=new_id(),
        channel="telegram",
        identity_id=new_id(),
        contact_id=wish.data.contact_id,
        author="service:campaign",
        draft_id=None,
        state="sent",
        reason=None,
        external_id="1",
        queued_at=now,
        occurred_at=now,
        responds_to_at=None,
    )


KNOWN: dict[str, Any] = {"region": "eu", "known": True, "reason": "Customers of our own, who may object"}


async def published(harness: Harness, org: UUID, *, known: bool = True, **fields: Any) -> str:
    """A sequence with a first version: its id. The organization's people count as customers of its own."""
    client = harness.client(org)
    if known:
        assert (await client.put("/v1/consent-rule", KNOWN)).status == 200
    body = {"name": "Welcome", "steps": [HELLO, WAIT, AGAIN]} | fields
    answer = await client.post("/v1/sequences", body)
    assert answer.status == 201, answer.json()
    id_ = str(answer.json()["id"])
    assert (await client.post(f"/v1/sequences/{id_}/versions")).status == 201
    return id_


async def enrolled(harness: Harness, org: UUID, sequence_id: str, **fields: Any) -> dict[str, Any]:
    """Somebody new in a sequence: what the answer says."""
    body = {"contact_id": str(new_id()), "conversation_id": str(new_id())} | fields
    answer = await harness.client(org).post(f"/v1/sequences/{sequence_id}/enrolments", body)
    assert answer.status == 201, answer.json()
    made: dict[str, Any] = answer.json()
    return made


async def come_due(harness: Harness, org: UUID) -> None:
    """As if the time had passed: the timers of this organization are due by the database's clock."""
    await harness.app.db.execute("UPDATE jobs SET due_at = now() WHERE organization_id = $1", org)
    harness.app.jobs_wake.set()


Wish = Callable[..., Awaitable[Received[MessageRequested]]]


@pytest.fixture
def wish(campaign: Harness, org: UUID) -> Wish:
    """The n-th message that campaign asked for."""

    async def find(place: int = 0) -> Received[MessageRequested]:
        async def there() -> list[Received[MessageRequested]]:
            found = campaign.spy.of(MessageRequested, org)
            return found if len(found) > place else []

        return (await eventually(there))[place]

    return find


Stands = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def stands(campaign: Harness, org: UUID) -> Stands:
    """Waits until an enrolment stands so: all of it."""

    async def find(enrolment_id: str, **wanted: Any) -> dict[str, Any]:
        async def so() -> dict[str, Any]:
            found: dict[str, Any] = (await campaign.client(org).get(f"/v1/enrolments/{enrolment_id}")).json()
            assert {name: found[name] for name in wanted} == wanted, found
            return found

        return await eventually(so)

    return find
