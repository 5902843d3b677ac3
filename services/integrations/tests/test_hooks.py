"""What comes in: verified, committed before it is answered, the same when it is repeated."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from flotilla.events.integrations import ChannelMessageReceived, ChannelReceiptReceived
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import Answer
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla_integrations.adapters.base import HookRequest
from flotilla_integrations.domain import message_event_id, message_id
from flotilla_integrations.own import own

Connect = Callable[..., Awaitable[dict[str, Any]]]
Hook = Callable[..., Coroutine[Any, Any, Answer]]
Talk = Callable[..., Any]
SECRET = "x-telegram-bot-api-secret-token"


@pytest.fixture
async def bot(connect: Connect, telegram: TelegramSimulator) -> tuple[dict[str, Any], str, dict[str, str]]:
    """(account, token, headers) of a connected bot."""
    token = telegram.add_bot()
    account = await connect("telegram", {"token": token})
    return account, token, {SECRET: telegram.bots[token].secret}


Bot = tuple[dict[str, Any], str, dict[str, str]]


async def test_a_customers_message_becomes_an_event(
    integrations: Harness, org: UUID, bot: Bot, telegram: TelegramSimulator
) -> None:
    account, token, _ = bot
    update = await telegram.customer_writes(token, chat=501, text="Чи є доставка до Львова?")
    told = await integrations.spy.expect(ChannelMessageReceived, lambda event: event.org == org)
    said = told.data
    assert (said.text, said.chat, said.channel) == ("Чи є доставка до Львова?", "501", "telegram")
    assert (said.account_id, said.external_id) == (
        UUID(account["id"]),
        str(update["message"]["message_id"]),
    )
    assert said.sender is not None
    assert (said.sender.name, said.sender.language) == ("Iryna", "uk")
    assert told.envelope.audience == "org"


async def test_a_repeated_webhook_is_the_same_event(
    integrations: Harness, org: UUID, bot: Bot, hook: Hook, telegram: TelegramSimulator
) -> None:
    account, token, headers = bot
    update = msgspec.json.encode(telegram.update(token, chat=501, text="once"))
    for _ in range(3):
        assert (await hook(account, update, headers)).status == 200
    await hook(account, msgspec.json.encode(telegram.update(token, chat=501, text="last")), headers)
    await integrations.spy.expect(
        ChannelMessageReceived, lambda event: event.org == org and event.data.text == "last"
    )
    told = integrations.spy.of(ChannelMessageReceived, org)
    assert len({event.id for event in told}) == 2
    assert len({event.data.identity_id for event in told}) == 1


async def test_doors_that_stay_shut(
    integrations: Harness, org: UUID, admin: Client, bot: Bot, hook: Hook, telegram: TelegramSimulator
) -> None:
    account, token, headers = bot
    update = msgspec.json.encode(telegram.update(token, chat=501, text="x"))
    tried = [
        (await hook(account, update), 401),
        (await hook(account, update, {SECRET: "wrong"}), 401),
        (await hook({**account, "id": str(new_id())}, update, headers), 404),
        (await hook({**account, "id": "no-uuid"}, update, headers), 404),
        (await hook({**account, "connector": "generic"}, update, headers), 404),
        (await hook(account, b"{", headers), 400),
        (await hook(account, b'\xff\xfe{"update_id": 1}', headers), 400),
        (await hook(account, b'{"update_id": "x"}', headers), 422),
        (await hook(account, b" " * (300 * 1024), headers), 413),
        (await hook(account, b'{"update_id": 1, "poll": {}}', headers), 200),
    ]
    assert [answer.status for answer, _ in tried] == [status for _, status in tried]
    for answer, status in tried[:-1]:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"], status
    await admin.delete(f"/v1/accounts/{account['id']}")

    async def gone() -> bool:
        return (await hook(account, update, headers)).status == 410

    await eventually(gone)
    assert integrations.spy.of(ChannelMessageReceived, org) == []
    stored = "SELECT count(*) FROM outbox WHERE type = 'channel.message.received.v1'"
    assert await integrations.app.db.fetchval(stored) == 0


async def test_of_many_webhooks_at_once_one_that_fails_fails_alone(
    integrations: Harness,
    org: UUID,
    bot: Bot,
    hook: Hook,
    telegram: TelegramSimulator,
) -> None:
    """One of 40 brings more than an event may hold: it is refused, the others are committed."""
    account, token, headers = bot
    bodies = [
        msgspec.json.encode(telegram.update(token, chat=600 + number, text=f"m {number}"))
        for number in range(40)
    ]
    bodies[17] = msgspec.json.encode(telegram.update(token, chat=617, text="€" * 30_000))
    answers = await asyncio.gather(*(hook(account, body, headers) for body in bodies))
    statuses = [answer.status for answer in answers]
    assert statuses[17] == 413
    assert statuses[:17] + statuses[18:] == [200] * 39

    async def all_told() -> bool:
        return len(integrations.spy.of(ChannelMessageReceived, org)) == 39

    await eventually(all_told)


async def test_nothing_is_acknowledged_that_is_not_stored(
    integrations: Harness,
    org: UUID,
    bot: Bot,
    hook: Hook,
    telegram: TelegramSimulator,
) -> None:
    """The connection is lost with the transaction under way: 503, and the vendor delivers it again."""
    account, token, headers = bot
    update = telegram.update(token, chat=501, text="keep me")
    body = msgspec.json.encode(update)
    dsn = integrations.instance.admin_dsn()
    admin, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with admin.transaction():
            # The same row, not committed: who writes it waits to see what becomes of it.
            await admin.execute(CONFLICT, await _event_id(integrations, account, body, headers))
            waiting = asyncio.create_task(hook(account, body, headers))

            async def ended() -> bool:
                return bool(await watcher.fetchval(END_BLOCKED))

            await eventually(ended)
            answer = await waiting
            await admin.execute("DELETE FROM integrations_bus.outbox WHERE type = 'conflict'")
    finally:
        await admin.close()
        await watcher.close()
    assert answer.status == 503
    assert integrations.spy.of(ChannelMessageReceived, org) == []
    telegram.deliver(token, update)
    told = await integrations.spy.expect(ChannelMessageReceived, lambda event: event.org == org)
    assert told.data.text == "keep me"


CONFLICT = "INSERT INTO integrations_bus.outbox (id, type, body) VALUES ($1, 'conflict', '')"
END_BLOCKED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO outbox%'"""


async def _event_id(
    integrations: Harness, account: dict[str, Any], body: bytes, headers: dict[str, str]
) -> UUID:
    known = await own(integrations.app).directory.find(UUID(account["id"]))
    assert known is not None
    assert known.adapter is not None
    now = datetime.now(UTC)
    (message,) = (await known.adapter.webhook(HookRequest(headers, body, now))).messages
    return message_event_id(message, message_id("telegram", known.account.id, message), now)


async def test_an_organizations_own_program_sends_messages_and_receipts(
    integrations: Harness, org: UUID, connect: Connect, hook: Hook, program: Any, talk: Talk
) -> None:
    account = await connect("generic", {"secret": program.secret}, {"url": program.address})
    assert account["state"] == "connected"
    said = {
        "type": "message.received",
        "data": {
            "id": "42",
            "chat": "c-1",
            "sender": {"address": "u-1", "email": "a@b.c"},
            "text": "Bonjour",
            "sent_at": datetime.now(UTC).isoformat(),
        },
    }
    body = json.dumps(said).encode()
    assert (await hook(account, body, program.signed(body))).status == 200
    old = program.signed(body, at=datetime.now(UTC) - timedelta(minutes=6))
    assert (await hook(account, body, old)).status == 401
    told = await integrations.spy.expect(ChannelMessageReceived, lambda event: event.org == org)
    assert told.data.text == "Bonjour"
    message_id = await talk(account, "c-1").send("Bonjour !", 1)

    async def taken() -> bool:
        return bool(program.messages == [(str(message_id), "Bonjour !")])

    await eventually(taken)
    for wanted, status in ((message_id, 200), (new_id(), 422)):
        receipt = {
            "type": "message.read",
            "data": {"message_id": str(wanted), "occurred_at": datetime.now(UTC).isoformat()},
        }
        body = json.dumps(receipt).encode()
        assert (await hook(account, body, program.signed(body))).status == status
    read = await integrations.spy.expect(ChannelReceiptReceived, lambda event: event.org == org)
    assert (read.data.message_id, read.data.receipt) == (message_id, "read")
