"""That somebody is writing is shown on every replica to whoever is there, and is in no feed."""

from uuid import UUID

from flotilla.events.transient import ChannelTyping, ConversationTyping
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.websocket.tests.listening import socket_of


async def test_it_is_shown_now_and_never_again(live: Harness, other: Harness, org: UUID) -> None:
    typing = ChannelTyping(account_id=new_id(), channel="generic", identity_id=new_id())
    async with socket_of(live.client(org)) as here, socket_of(other.client(org, "viewer")) as there:

        async def shown() -> bool:
            await live.app.transient.tell(typing, org=org, audience="org")
            return all(
                any(each.get("event", {}).get("type") == "channel.typing.v1" for each in one.messages)
                for one in (here, there)
            )

        await eventually(shown, what="both replicas show it")
        colleague = ConversationTyping(
            conversation_id=new_id(), account_id=new_id(), channel="generic", chat="77", user_id=new_id()
        )
        await other.app.transient.tell(colleague, org=org, audience="org")

        async def named() -> bool:
            return any(
                each.get("event", {}).get("subject") == str(colleague.conversation_id)
                for each in here.messages
            )

        await eventually(named, what="a colleague is shown")
    rows = await live.app.db.fetch("SELECT 1 FROM feed WHERE type LIKE '%typing%'")
    assert rows == []
