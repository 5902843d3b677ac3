"""Messaging, running, and what its neighbours would say to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import UserCreated
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla.testing.simulators.channel import Channel


@pytest.fixture(scope="session")
async def messaging(start_service: StartService) -> AsyncIterator[Harness]:
    """One running replica; tests share it, each with an organization of its own."""
    async with start_service("messaging") as running:
        yield running


@pytest.fixture
def channel() -> Channel:
    """An account of nobody else's."""
    return Channel(new_id())


@pytest.fixture
def people(messaging: Harness, org: UUID) -> Client:
    """A member who works in the inbox."""
    return messaging.client(org, "team_member")


Received = Callable[..., Awaitable[UUID]]


@pytest.fixture
def received(messaging: Harness, org: UUID, channel: Channel) -> Received:
    """`await received("Hello")`: a customer wrote; the conversation's id."""

    async def write(text: str = "Hello", number: int = 1, to: Channel = channel) -> UUID:
        message = to.writes(number, text)
        await messaging.publish(message, org=org)
        event = await messaging.spy.expect(
            MessageReceived, lambda event: event.data.message_id == message.message_id
        )
        return event.data.conversation_id

    return write


Member = Callable[..., Awaitable[UUID]]


@pytest.fixture
def member(messaging: Harness, org: UUID) -> Member:
    """`await member()`: somebody joined the organization, and messaging knows."""

    async def join(role: str = "team_member") -> UUID:
        user_id = new_id()
        await messaging.publish(
            UserCreated(user_id=user_id, email="a@b.c", name="Anna", role=role, locale="en", state="active"),
            org=org,
        )

        async def known() -> bool:
            async with messaging.app.db.transaction(org) as tx:
                return bool(await tx.fetchval("SELECT true FROM members WHERE id = $1", user_id))

        await eventually(known)
        return user_id

    return join


Reached = Callable[[str, str], Awaitable[dict[str, Any]]]


@pytest.fixture
def reached(people: Client) -> Reached:
    """`await reached(message_id, "sent")`: the message, once it is in that state."""

    async def wait(message_id: str, state: str) -> dict[str, Any]:
        async def there() -> dict[str, Any]:
            found: dict[str, Any] = (await people.get(f"/v1/messages/{message_id}")).json()
            assert found["state"] == state, found
            return found

        return await eventually(there)

    return wait
