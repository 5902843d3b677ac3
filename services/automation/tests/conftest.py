"""One automation on stores of its own for all tests; each test has an organization of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import TaskCreated, TaskRequested
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived, MessageSent
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

CREATE_TASK: dict[str, Any] = {
    "type": "create_task",
    "title": "Call {{ data.sender.name | the customer }}",
    "conversation_id": "{{ data.conversation_id }}",
}
ON_TELEGRAM: dict[str, Any] = {"field": "data.channel", "operator": "equals", "value": "telegram"}


@pytest.fixture(scope="session")
async def automation(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("automation", runs_a_minute=20, unbind_after_seconds=0.5) as harness:
        yield harness


def received(**fields: Any) -> MessageReceived:
    """A customer's message."""
    given: dict[str, Any] = {
        "message_id": new_id(),
        "conversation_id": new_id(),
        "position": 1,
        "account_id": new_id(),
        "channel": "telegram",
        "identity_id": new_id(),
        "contact_id": None,
        "assignee_id": None,
        "sender": SenderProfile(address="4711", name="Zoë Groß"),
        "text": "I want a refund!",
        "sent_at": datetime.now(UTC),
        "ai_enabled": True,
        "first": True,
    }
    return MessageReceived(**given | fields)


def sent(conversation_id: UUID, position: int) -> MessageSent:
    """An answer that the channel took."""
    now = datetime.now(UTC)
    return MessageSent(
        message_id=new_id(),
        conversation_id=conversation_id,
        position=position,
        account_id=new_id(),
        channel="telegram",
        identity_id=new_id(),
        contact_id=None,
        author=f"user:{new_id()}",
        draft_id=None,
        state="sent",
        reason=None,
        external_id="1",
        queued_at=now,
        occurred_at=now,
        responds_to_at=now,
    )


def answer(wish: TaskRequested, **fields: Any) -> TaskCreated:
    """As crm would answer."""
    given: dict[str, Any] = {
        "task_id": wish.request_id,
        "title": wish.title,
        "state": "open",
        "assignee_id": None,
        "due_at": None,
        "contact_id": wish.contact_id,
        "company_id": None,
        "conversation_id": wish.conversation_id,
        "completed_at": None,
    }
    return TaskCreated(**given | fields)


async def come_due(harness: Harness, org: UUID) -> None:
    """As if the time had passed: the timers of this organization are due by the database's clock."""
    await harness.app.db.execute("UPDATE jobs SET due_at = now() WHERE organization_id = $1", org)
    harness.app.jobs_wake.set()


Rule = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def rule(automation: Harness, org: UUID) -> Rule:
    """Makes an enabled rule: what the answer says of it."""

    async def make(**fields: Any) -> dict[str, Any]:
        body = {
            "name": "Follow up",
            "enabled": True,
            "trigger": "message.received.v1",
            "condition": ON_TELEGRAM,
            "actions": [CREATE_TASK],
        } | fields
        answer = await automation.client(org).post("/v1/rules", body)
        assert answer.status == 201, answer.json()
        made: dict[str, Any] = answer.json()
        return made

    return make


Runs = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def runs_of(automation: Harness, org: UUID) -> Runs:
    """Waits until a rule has runs in a state: those runs, each with its steps."""

    async def find(rule_id: str, state: str, count: int = 1) -> list[dict[str, Any]]:
        client = automation.client(org)

        async def there() -> list[dict[str, Any]]:
            found = (await client.get(f"/v1/rules/{rule_id}/runs")).json()["items"]
            fitting = [run for run in found if run["state"] == state]
            assert len(fitting) == count, found
            return fitting

        found = await eventually(there)
        return [(await client.get(f"/v1/runs/{run['id']}")).json() for run in found]

    return find
