"""The process is killed with a message in Telegram's hands: it is never sent a second time by itself."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flotilla.events.integrations import ChannelMessageUnconfirmed
from flotilla.service import load
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService
from flotilla.testing.simulators.telegram import Hang, TelegramSimulator

Talk = Callable[..., Any]
EXPIRE = "UPDATE jobs SET leased_until = now() WHERE organization_id = $1 AND leased_until IS NOT NULL"


async def test_a_killed_send_is_unconfirmed(
    telegram: TelegramSimulator, start_service: StartService, talk_through: Talk, worker: str, org: UUID
) -> None:
    service = load("integrations")
    told = {"telegram_address": telegram.address, "private_addresses_allowed": True}
    environment = {f"FLOTILLA_{name.upper()}": str(value) for name, value in told.items()}
    async with isolated(service, worker) as own:
        token = telegram.add_bot("doomed_bot")
        telegram.bots[token].chats.add(77)
        async with start_service(service, instance=own, **told) as before:
            account = await _connected(before.client(org), token)
        async with start_service(service, instance=own, lanes_paused=True, **told) as idle:
            message_id = await talk_through(idle, org, account).send("take care", 1)
        telegram.misbehave(Hang())
        taken = len(telegram.sent) + 1
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flotilla.run",
            "integrations",
            env={**own.environment("integrations"), **environment},
            cwd=own.root,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await telegram.expect_sent(taken, seconds=120)
        finally:
            process.kill()
            await process.wait()
        async with start_service(service, instance=own, **told) as after:
            await _lease_ran_out(after, org)
            lost = await after.spy.expect(ChannelMessageUnconfirmed, lambda event: event.org == org)
        assert lost.data.message_id == message_id
        assert [sent.text for sent in telegram.sent if sent.token == token] == ["take care"]


async def _connected(admin: Client, token: str) -> dict[str, Any]:
    made = await admin.post(
        "/v1/accounts", {"connector": "telegram", "name": "Shop", "credentials": {"token": token}}
    )

    async def connected() -> dict[str, Any]:
        account: dict[str, Any] = (await admin.get(f"/v1/accounts/{made.json()['id']}")).json()
        assert account["state"] == "connected"
        return account

    return await eventually(connected)


async def _lease_ran_out(harness: Harness, org: UUID) -> None:
    assert await harness.app.db.execute(EXPIRE, org) == "UPDATE 1"
