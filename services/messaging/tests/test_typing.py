"""A person who writes says so to colleagues and to the channel."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from flotilla.events.transient import ConversationTyping
from flotilla.ids import new_id
from flotilla.testing import Client, Harness

Received = Callable[..., Awaitable[UUID]]


async def test_a_colleague_is_writing(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    assert (await people.post(f"/v1/conversations/{conversation_id}/typing")).status == 204
    heard = await messaging.spy.expect(ConversationTyping, lambda event: event.org == org)
    assert (heard.data.conversation_id, heard.data.user_id) == (conversation_id, people.user_id)
    assert heard.data.chat
    assert heard.envelope.audience == "org"
    assert (await people.post(f"/v1/conversations/{new_id()}/typing")).status == 404
    viewer = messaging.client(org, "viewer")
    assert (await viewer.post(f"/v1/conversations/{conversation_id}/typing")).status == 403
