"""That somebody is writing: told now, to whoever is there, and kept nowhere."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.events.transient import ChannelTyping, ConversationTyping
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla_integrations.domain import identity_id

from services.integrations.tests.conftest import Hook, Program

Connect = Callable[..., Awaitable[dict[str, Any]]]


def typing(account: dict[str, Any], chat: str = "77") -> ConversationTyping:
    return ConversationTyping(
        conversation_id=new_id(),
        account_id=UUID(account["id"]),
        channel=account["connector"],
        chat=chat,
        user_id=new_id(),
    )


async def test_a_customer_of_telegram_sees_it_once_in_a_while(
    integrations: Harness, org: UUID, connect: Connect, telegram: TelegramSimulator
) -> None:
    token = telegram.add_bot()
    telegram.bots[token].chats.update({77, 78})
    account = await connect("telegram", {"token": token})
    for event, whose in (
        (typing(account), org),
        (typing(account), org),
        (typing(account, "999"), org),
        (typing(account, "78"), new_id()),
        (typing(account, "78"), org),
    ):
        await integrations.app.transient.tell(event, org=whose)

    def shown() -> list[tuple[int, str]]:
        return [(chat, action) for bot, chat, action in telegram.typing if bot == token]

    async def both() -> bool:
        return len(shown()) >= 2

    await eventually(both, what="both customers see it")
    assert shown() == [(77, "typing"), (78, "typing")]


async def test_a_program_is_told_and_tells(
    integrations: Harness, org: UUID, connect: Connect, program: Program, hook: Hook
) -> None:
    account = await connect("generic", {"secret": program.secret}, {"url": program.address})
    await integrations.app.transient.tell(typing(account), org=org)

    async def told() -> Any:
        return [said["data"] for _, said in program.got if said["type"] == "typing"]

    assert await eventually(told) == [{"chat": "77"}]
    body = json.dumps(
        {
            "type": "typing",
            "timestamp": datetime.now(UTC).isoformat(),
            "data": {"sender": {"address": "77"}},
        }
    ).encode()
    assert (await hook(account, body, program.signed(body))).status == 200
    heard = await integrations.spy.expect(ChannelTyping, lambda event: event.org == org)
    assert heard.data.identity_id == identity_id("generic", UUID(account["id"]), "77")
    assert heard.envelope.audience == "org"
    kept = await integrations.app.db.fetchval("SELECT count(*) FROM outbox WHERE type LIKE '%typing%'")
    assert kept == 0
