"""Customers who write through Telegram, and the team that answers some of them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from flotilla.seed.content import Conversation
from flotilla.seed.gateway import Gateway, SeedError
from flotilla.seed.patience import within

BOT_TOKEN: Final = "7000000001:northwind-coffee-demo-bot-000000000"  # noqa: S105 - of a simulated bot
BOT_NAME: Final = "Northwind on Telegram"
CONNECTED_SECONDS: Final = 10.0
ARRIVED_SECONDS: Final = 10.0
DRAFTED_SECONDS: Final = 8.0


async def connect(owner: Gateway, telegram_url: str) -> None:
    """The organization's bot, connected to the simulated Bot API."""
    accounts = await owner.every("/v1/accounts")
    account = next((each for each in accounts if each["name"] == BOT_NAME), None)
    if account is None:
        wanted = {
            "connector": "telegram",
            "name": BOT_NAME,
            "settings": {"api_base": telegram_url},
            "credentials": {"token": BOT_TOKEN},
        }
        account = await owner.post("/v1/accounts", wanted, once=f"seed account {BOT_NAME}")

    async def connected() -> bool:
        return bool((await owner.get(f"/v1/accounts/{account['id']}"))["state"] == "connected")

    if not await within(CONNECTED_SECONDS, connected):
        raise SeedError(f"The demo's bot is not connected: is the simulator on {telegram_url} running?")


async def write(owner: Gateway, telegram_url: str, wanted: Sequence[Conversation]) -> dict[str, str]:
    """Have those customers write who have not: the new conversations' ids by customer."""
    known = await _by_customer(owner)
    fresh = [each for each in wanted if each.customer not in known]
    if not fresh:
        return {}
    await asyncio.gather(*(_deliver(owner.http, telegram_url, each) for each in fresh))

    async def arrived() -> dict[str, str] | None:
        found = await _by_customer(owner)
        there = [
            each
            for each in fresh
            if found.get(each.customer, {}).get("last_position", 0) >= len(each.messages)
        ]
        return (
            {each.customer: found[each.customer]["id"] for each in fresh}
            if len(there) == len(fresh)
            else None
        )

    ids = await within(ARRIVED_SECONDS, arrived)
    if ids is None:
        raise SeedError("What the demo's customers wrote did not all become conversations in time.")
    return ids


async def answer(owner: Gateway, conversation_id: str, then: str) -> bool:
    """Approve the draft, and resolve where the team is done; False where no draft came in time."""

    async def drafted() -> str | None:
        drafts = await owner.every(f"/v1/drafts?conversation_id={conversation_id}")
        return next((draft["id"] for draft in drafts if draft["state"] == "generated"), None)

    draft_id = await within(DRAFTED_SECONDS, drafted)
    if draft_id is None:
        return False
    await owner.post(f"/v1/drafts/{draft_id}/approve", {}, once=f"seed approval {draft_id}")
    if then == "resolve":

        async def sent() -> bool:
            messages = await owner.get(f"/v1/conversations/{conversation_id}/messages")
            return any(each["direction"] == "out" and each["state"] == "sent" for each in messages["items"])

        if await within(ARRIVED_SECONDS, sent):
            await owner.post(f"/v1/conversations/{conversation_id}/resolve")
    return True


async def _by_customer(owner: Gateway) -> dict[str, dict[str, Any]]:
    return {each["customer_name"]: each for each in await owner.every("/v1/conversations")}


async def _deliver(http: aiohttp.ClientSession, telegram_url: str, wanted: Conversation) -> None:
    """The simulator hands each message to the bot's webhook, in order, until it is taken."""
    for text in wanted.messages:
        body = {"token": BOT_TOKEN, "chat": wanted.chat, "name": wanted.customer, "text": text}
        try:
            async with http.post(f"{telegram_url}/simulator/messages", json=body) as taken:
                taken.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SeedError(f"The simulated Telegram on {telegram_url} refuses: {error}") from error
