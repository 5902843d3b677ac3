"""One crm on stores of its own for all tests; each test has an organization of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import UserCreated
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService


@pytest.fixture(scope="session")
async def crm(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("crm") as harness:
        yield harness


def received(identity_id: UUID, **fields: Any) -> MessageReceived:
    """A customer's message."""
    given: dict[str, Any] = {
        "message_id": new_id(),
        "conversation_id": new_id(),
        "position": 1,
        "account_id": new_id(),
        "channel": "telegram",
        "identity_id": identity_id,
        "contact_id": None,
        "assignee_id": None,
        "sender": SenderProfile(address="4711", name="Zoë Groß"),
        "text": "Is the blue one still to be had?",
        "sent_at": datetime.now(UTC),
        "ai_enabled": True,
        "first": True,
    }
    return MessageReceived(**given | fields)


Colleague = Callable[..., Awaitable[UUID]]


@pytest.fixture
def colleague(crm: Harness, org: UUID) -> Colleague:
    """Makes a person of the organization known to crm: their id."""

    async def join(role: str = "team_member") -> UUID:
        user = UserCreated(user_id=new_id(), email=None, name=None, role=role, locale="en", state="active")
        await crm.publish(user, org=org, sequence=1)

        async def known() -> bool:
            async with crm.app.db.transaction(org) as tx:
                return bool(await tx.fetchval("SELECT count(*) FROM users WHERE id = $1", user.user_id))

        await eventually(known, what="the colleague is known")
        return user.user_id

    return join
