"""What goes out: once, in order, and honest where nobody knows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.integrations import (
    ChannelMessageFailed,
    ChannelMessageSent,
    ChannelMessageUnconfirmed,
    Delivery,
    IntegrationFailed,
)
from flotilla.ids import new_id
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.simulators.telegram import Drop, Fail, Flood, Hang, TelegramSimulator

Connect = Callable[..., Awaitable[dict[str, Any]]]
Talk = Callable[..., Any]
CUT = 0


@pytest.fixture
async def bot(connect: Connect, telegram: TelegramSimulator) -> dict[str, Any]:
    """A connected bot that the person of chat 77 has written to."""
    token = telegram.add_bot()
    telegram.bots[token].chats.update({77, 78})
    return {**await connect("telegram", {"token": token}), "token": token}


def sent_by(telegram: TelegramSimulator, bot: dict[str, Any]) -> list[str]:
    return [each.text for each in telegram.sent if each.token == bot["token"]]


async def test_a_message_goes_out(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    message_id = await talk(bot).send("Guten Tag", 1)
    sent = await integrations.spy.expect(ChannelMessageSent, lambda event: event.org == org)
    assert sent.data.message_id == message_id
    assert sent.data.external_id == str(telegram.sent[-1].message_id)
    assert sent_by(telegram, bot) == ["Guten Tag"]
    asked = next(event for event in integrations.spy.events if event.id == sent.envelope.causationid)
    assert asked.envelope.correlationid == sent.envelope.correlationid
    async with integrations.app.db.transaction(org) as tx:
        row = await tx.fetchrow("SELECT * FROM sends")
    assert row is not None
    assert (row["state"], row["text"], row["chat"]) == ("sent", None, None)


async def test_a_conversation_keeps_its_order_and_another_does_not_wait(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    """The first send must come back later; numbers arrive in disorder, through two replicas."""
    first, other = talk(bot, "77"), talk(bot, "78")
    telegram.misbehave(Flood(5))
    async with running(
        load("integrations"),
        instance=integrations.instance,
        telegram_address=telegram.address,
        private_addresses_allowed=True,
    ):
        await first.send("1", 1)

        async def flooded() -> bool:
            return not telegram._misbehaviours

        await eventually(flooded)
        for number in (4, 2, 5, 3):
            await first.send(str(number), number)
        await other.send("meanwhile", 1)

        async def all_sent() -> bool:
            return len(integrations.spy.of(ChannelMessageSent, org)) == 6

        await eventually(all_sent)
    assert sent_by(telegram, bot) == ["meanwhile", "1", "2", "3", "4", "5"]


async def test_a_missing_number_is_waited_for(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    conversation = talk(bot)
    await conversation.send("2", 2)

    async def waits() -> bool:
        async with integrations.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT state FROM sends") == "waiting")

    await eventually(waits)
    await integrations.app.db.execute("UPDATE jobs SET due_at = now() WHERE organization_id = $1", org)
    await conversation.send("1", 1)

    async def all_sent() -> bool:
        return sent_by(telegram, bot) == ["1", "2"]

    await eventually(all_sent)


async def test_a_number_that_never_comes_is_not_waited_for_for_ever(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    await talk(bot).send("3", 3)

    async def timer_stands() -> bool:
        async with integrations.app.db.transaction(org) as tx:
            if await tx.execute("UPDATE sends SET release_at = now()") != "UPDATE 1":
                return False
        moved = await integrations.app.db.execute(
            "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'send_released'", org
        )
        return moved == "UPDATE 1"

    await eventually(timer_stands)
    await integrations.spy.expect(ChannelMessageSent, lambda event: event.org == org)


@pytest.mark.parametrize("lost", [Drop(), Hang(), Fail(502, "Bad Gateway")])
async def test_a_lost_answer_is_told_and_never_sent_again_silently(
    integrations: Harness,
    org: UUID,
    bot: dict[str, Any],
    talk: Talk,
    telegram: TelegramSimulator,
    lost: Any,
) -> None:
    conversation = talk(bot)
    telegram.misbehave(lost)
    message_id = await conversation.send("maybe", 1)
    told = await integrations.spy.expect(ChannelMessageUnconfirmed, lambda event: event.org == org)
    assert told.data.message_id == message_id
    assert told.data.reason
    await conversation.send("next", 2)
    await integrations.spy.expect(ChannelMessageSent, lambda event: event.org == org)
    assert sent_by(telegram, bot).count("maybe") == (0 if isinstance(lost, Fail) else 1)
    await conversation.send("maybe", 3, message_id)
    again = await integrations.spy.expect(
        ChannelMessageSent, lambda event: event.data.message_id == message_id
    )
    assert again.sequence == 2


async def test_a_process_that_died_with_a_send_in_hand_leaves_it_unconfirmed(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    """Another process's lease has run out: whether its attempt reached Telegram, nobody knows."""
    conversation = talk(bot)
    telegram.misbehave(Flood(5))
    await conversation.send("in hand", 1)

    async def put_back() -> bool:
        tag = await integrations.app.db.execute(
            "UPDATE jobs SET leased_until = now(), lease_token = $2, due_at = now()"
            " WHERE organization_id = $1 AND leased_until IS NULL AND error IS NOT NULL",
            org,
            new_id(),
        )
        return tag == "UPDATE 1"

    await eventually(put_back)
    told = await integrations.spy.expect(ChannelMessageUnconfirmed, lambda event: event.org == org)
    assert "died" in (told.data.reason or "")
    assert sent_by(telegram, bot) == []


async def test_refusals_are_told_in_words(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    telegram.block(bot["token"], 77)
    await talk(bot).send("x", 1)
    blocked = await integrations.spy.expect(ChannelMessageFailed, lambda event: event.org == org)
    assert (blocked.data.reason, blocked.data.permanent) == ("The customer blocked the bot.", True)
    await talk(bot, "5").send("x", 1)

    async def second() -> list[str | None]:
        reasons = [event.data.reason for event in integrations.spy.of(ChannelMessageFailed, org)]
        return reasons if len(reasons) == 2 else []

    assert "must write to the bot first" in str((await eventually(second))[1])


async def test_a_revoked_token_fails_the_message_and_the_account(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    telegram.revoke(bot["token"])
    await talk(bot).send("x", 1)
    await integrations.spy.expect(ChannelMessageFailed, lambda event: event.org == org)
    failed = await integrations.spy.expect(IntegrationFailed, lambda event: event.org == org)
    assert failed.data.account_id == UUID(bot["id"])


async def test_nothing_goes_out_through_a_strangers_account(
    integrations: Harness, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    stranger = new_id()
    conversation = talk(bot)
    object.__setattr__(conversation, "org", stranger)
    await conversation.send("x", 1)
    failed = await integrations.spy.expect(ChannelMessageFailed, lambda event: event.org == stranger)
    assert failed.data.reason == "There is no such account."
    assert sent_by(telegram, bot) == []


async def test_an_idempotent_channel_is_simply_asked_again(
    integrations: Harness, org: UUID, connect: Connect, program: Any, talk: Talk
) -> None:
    account = await connect("generic", {"secret": program.secret}, {"url": program.address})
    program.answers += [CUT, 503]
    message_id = await talk(account).send("once", 1)
    await integrations.spy.expect(ChannelMessageSent, lambda event: event.org == org)
    assert program.messages == [(str(message_id), "once")] * 3
    assert integrations.spy.of(ChannelMessageUnconfirmed, org) == []


@pytest.mark.parametrize(
    ("answers", "fact"),
    [([CUT], ChannelMessageUnconfirmed), ([], ChannelMessageFailed)],
    ids=["one may have arrived", "none arrived"],
)
async def test_when_every_attempt_failed_it_matters_whether_one_may_have_arrived(
    integrations: Harness,
    org: UUID,
    connect: Connect,
    program: Any,
    talk: Talk,
    answers: list[int],
    fact: type[Delivery],
) -> None:
    """The program takes one attempt, or none, and then is gone for good."""
    account = await connect("generic", {"secret": program.secret}, {"url": program.address})
    program.answers += answers
    if not answers:
        await program.close()
    await talk(account).send("once", 1)

    async def failing() -> bool:
        tag = await integrations.app.db.execute(
            "UPDATE jobs SET attempts = 9, due_at = now()"
            " WHERE organization_id = $1 AND leased_until IS NULL AND error IS NOT NULL",
            org,
        )
        return tag == "UPDATE 1"

    if answers:

        async def taken() -> bool:
            return bool(program.messages)

        await eventually(taken)
        await program.close()
    await eventually(failing)
    told = await integrations.spy.expect(fact, lambda event: event.org == org)
    assert told.data.reason == "Your program cannot be reached at its address."


async def test_many_conversations_at_once(
    integrations: Harness, org: UUID, bot: dict[str, Any], talk: Talk, telegram: TelegramSimulator
) -> None:
    talks = [talk(bot, "77") for _ in range(10)]
    wanted = [(conversation, number) for conversation in talks for number in (1, 2, 3)]
    await asyncio.gather(
        *(
            conversation.send(f"{talks.index(conversation)}-{number}", number)
            for conversation, number in wanted
        )
    )

    async def all_sent() -> bool:
        return len(integrations.spy.of(ChannelMessageSent, org)) == 30

    await eventually(all_sent)
    texts = sent_by(telegram, bot)
    for each in range(10):
        assert [text for text in texts if text.startswith(f"{each}-")] == [f"{each}-{n}" for n in (1, 2, 3)]
