"""The demo's channels: a Telegram bot and a shop's own program, both with a simulator at the other end."""

import base64
import secrets
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from flotilla.seed.content import Conversation
from flotilla.seed.gateway import Gateway, SeedError
from flotilla.seed.patience import within

BOT_TOKEN: Final = "7000000001:northwind-coffee-demo-bot-000000000"  # noqa: S105 - of a simulated bot
BOT_NAME: Final = "Northwind on Telegram"
SHOP_NAME: Final = "Northwind's web shop"
CONNECTED_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Simulators:
    """Where the other ends are."""

    telegram: str
    shop: str
    """Empty: none is running, and the channel is left out."""

    async def deliver(self, http: aiohttp.ClientSession, wanted: Conversation) -> None:
        """The customer writes; their messages come to the account's hook, in order."""
        where = self.telegram if wanted.channel == "telegram" else self.shop
        for text in wanted.messages:
            body = {"chat": wanted.chat, "name": wanted.customer, "text": text}
            if wanted.channel == "telegram":
                body["token"] = BOT_TOKEN
            await _tell(http, "POST", f"{where}/simulator/messages", body)


async def connect(owner: Gateway, simulators: Simulators) -> None:
    """Connect the organization's accounts, where they are not yet."""
    known = {account["name"]: account for account in await owner.every("/v1/accounts")}
    accounts = [known.get(BOT_NAME) or await _connect_bot(owner, simulators.telegram)]
    if simulators.shop:
        accounts.append(known.get(SHOP_NAME) or await _connect_shop(owner, simulators.shop))
    for account in accounts:
        await _connected(owner, account)


async def _connect_bot(owner: Gateway, telegram: str) -> Any:
    wanted = {
        "connector": "telegram",
        "name": BOT_NAME,
        "settings": {"api_base": telegram},
        "credentials": {"token": BOT_TOKEN},
    }
    return await owner.post("/v1/accounts", wanted, once=f"seed account {BOT_NAME}")


async def _connect_shop(owner: Gateway, shop: str) -> Any:
    """The program has to know the secret before: it is asked to prove that it does."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    await _tell(owner.http, "PUT", f"{shop}/simulator/connection", {"secret": secret})
    wanted = {
        "connector": "generic",
        "name": SHOP_NAME,
        "settings": {"url": f"{shop}/receive"},
        "credentials": {"secret": secret},
    }
    account = await owner.post("/v1/accounts", wanted)
    connection = {"secret": secret, "hook_url": account["hook_url"]}
    await _tell(owner.http, "PUT", f"{shop}/simulator/connection", connection)
    return account


async def _connected(owner: Gateway, account: dict[str, Any]) -> None:
    async def settled() -> dict[str, Any] | None:
        now: dict[str, Any] = await owner.get(f"/v1/accounts/{account['id']}")
        return now if now["state"] != "connecting" else None

    now = await within(CONNECTED_SECONDS, settled)
    if now is None or now["state"] != "connected":
        why = (now or {}).get("reason") or "its simulator did not answer"
        raise SeedError(f"The account “{account['name']}” is not connected: {why}")


async def _tell(http: aiohttp.ClientSession, method: str, url: str, body: dict[str, Any]) -> None:
    try:
        async with http.request(method, url, json=body) as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SeedError(f"The simulator on {url} refuses: {error}") from error
