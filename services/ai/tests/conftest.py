"""ai, running, and customers who write to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla.testing.plugin import StartService

from services.ai.tests.model_server import ModelServer

HELP = """# Shop help
## Delivery costs
Standard shipping costs 4.90 EUR. From an order value of 60 EUR shipping is free.
## Returns
You may return unused goods within 30 days. The refund arrives within 7 days.
## Opening hours
We are open Monday to Friday from 9:00 to 18:00.
"""

Writes = Callable[..., Awaitable[MessageReceived]]


@pytest.fixture(scope="session")
async def ai(start_service: StartService) -> AsyncIterator[Harness]:
    """One running replica; tests share it, each with an organization of its own."""
    async with start_service("ai", ai_private_providers=True, ai_usage_every_seconds=0.3) as running:
        yield running


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    """A hosted model."""
    async with ModelServer.running() as server:
        yield server


@pytest.fixture
def member(ai: Harness, org: UUID) -> Client:
    """A member who works in the inbox."""
    return ai.client(org, "team_member")


@pytest.fixture
def owner(ai: Harness, org: UUID) -> Client:
    """Who may configure."""
    return ai.client(org, "owner")


@pytest.fixture
async def knowledge(owner: Client) -> UUID:
    """The organization has a small knowledge base; the source's id."""
    answer = await owner.post("/v1/knowledge/sources", {"title": "Shop", "text": HELP})
    assert answer.status == 201, answer.body
    return UUID(answer.json()["id"])


@pytest.fixture
def writes(ai: Harness, org: UUID) -> Writes:
    """`await writes("Hello")`: a customer's message stands in its conversation."""
    conversation_id, identity_id, account_id = new_id(), new_id(), new_id()

    async def write(text: str, position: int = 1, **more: Any) -> MessageReceived:
        message = received(text, position, conversation_id, identity_id, account_id, **more)
        await ai.publish(message, org=org)
        return message

    return write


def received(
    text: str, position: int, conversation_id: UUID, identity_id: UUID, account_id: UUID, **more: Any
) -> MessageReceived:
    """A message as messaging tells of it."""
    fields: dict[str, Any] = {
        "message_id": new_id(),
        "conversation_id": conversation_id,
        "position": position,
        "account_id": account_id,
        "channel": "telegram",
        "identity_id": identity_id,
        "contact_id": None,
        "assignee_id": None,
        "sender": SenderProfile(address="77", name="Iryna Bond", language="en"),
        "text": text,
        "sent_at": datetime.now(UTC),
        "ai_enabled": True,
        "first": position == 1,
    }
    return MessageReceived(**{**fields, **more})
