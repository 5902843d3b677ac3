"""Connecting, changing, checking and disconnecting accounts."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.integrations import IntegrationConnected, IntegrationDisconnected, IntegrationFailed
from flotilla.ids import new_id
from flotilla.security.sealing import UnsealError
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla_integrations.checking import check_by_turns
from flotilla_integrations.own import own

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_bot_is_connected_and_its_token_is_never_shown(
    integrations: Harness, org: UUID, admin: Client, connect: Connect, telegram: TelegramSimulator
) -> None:
    token = telegram.add_bot("shop_bot")
    account = await connect("telegram", {"token": token})
    assert (account["state"], account["external_id"]) == ("connected", token.split(":")[0])
    assert telegram.bots[token].url == account["hook_url"]
    told = await integrations.spy.expect(IntegrationConnected, lambda event: event.org == org)
    assert (told.data.account_id, told.sequence, told.envelope.audience) == (UUID(account["id"]), 2, None)
    listed = await admin.get("/v1/accounts")
    assert [each["id"] for each in listed.json()["items"]] == [account["id"]]
    assert token.split(":")[1].encode() not in listed.body
    async with integrations.app.db.transaction(org) as tx:
        row = await tx.fetchrow("SELECT * FROM accounts")
    assert row is not None
    assert token.encode() not in row["sealed"]
    with pytest.raises(UnsealError):
        own(integrations.app).directory.unseal(new_id(), row["sealed"])


async def test_a_wrong_token_fails_in_words(integrations: Harness, org: UUID, connect: Connect) -> None:
    account = await connect("telegram", {"token": "123456:" + "B" * 35})
    assert (account["state"], account["reason"]) == ("failed", "Telegram does not accept the bot's token.")
    told = await integrations.spy.expect(IntegrationFailed, lambda event: event.org == org)
    assert told.data.reason == account["reason"]


async def test_a_bot_is_connected_once(connect: Connect, telegram: TelegramSimulator) -> None:
    token = telegram.add_bot()
    assert (await connect("telegram", {"token": token}))["state"] == "connected"
    second = await connect("telegram", {"token": token})
    assert second["state"] == "failed"
    assert "already" in second["reason"]


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"connector": "pigeon", "credentials": {}}, "/connector"),
        ({"connector": "telegram", "credentials": {"token": "x"}}, "/credentials/token"),
        ({"connector": "telegram", "credentials": {}}, "/credentials/token"),
        ({"connector": "telegram", "name": "a\x00b", "credentials": {}}, "/name"),
        (
            {
                "connector": "generic",
                "settings": {"url": "https://example.org/\x00"},
                "credentials": {"secret": "whsec_" + "A" * 32},
            },
            "/settings/url",
        ),
        ({"connector": "generic", "credentials": {"secret": "whsec_" + "A" * 32}}, "/settings/url"),
        (
            {
                "connector": "generic",
                "settings": {"url": "ftp://example.org"},
                "credentials": {"secret": "whsec_" + "A" * 32},
            },
            "/settings/url",
        ),
    ],
)
async def test_what_does_not_fit_is_named(admin: Client, wanted: dict[str, Any], pointer: str) -> None:
    refused = await admin.post("/v1/accounts", {"name": "Shop", **wanted})
    assert refused.status == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]
    assert (await admin.get("/v1/accounts")).json()["items"] == []


async def test_new_credentials_connect_it_again(
    integrations: Harness, admin: Client, connect: Connect, telegram: TelegramSimulator
) -> None:
    old, new = telegram.add_bot(), telegram.add_bot()
    account = await connect("telegram", {"token": old})
    path = f"/v1/accounts/{account['id']}"
    named = await admin.patch(path, {"name": "Support"}, headers={"If-Match": f'"{account["sequence"]}"'})
    assert (named.json()["name"], named.json()["state"]) == ("Support", "connected")
    stale = await admin.patch(path, {"name": "x"}, headers={"If-Match": f'"{account["sequence"]}"'})
    assert stale.status == 412
    changed = await admin.patch(path, {"credentials": {"token": new}})
    assert changed.json()["state"] == "connecting"

    async def again() -> bool:
        return bool((await admin.get(path)).json()["external_id"] == new.split(":")[0])

    await eventually(again)
    assert telegram.bots[new].url == account["hook_url"]


async def test_a_disconnected_account_is_gone_for_vendors_and_its_credentials_for_us(
    integrations: Harness, org: UUID, admin: Client, connect: Connect, telegram: TelegramSimulator
) -> None:
    token = telegram.add_bot()
    account = await connect("telegram", {"token": token})
    path = f"/v1/accounts/{account['id']}"
    assert (await admin.delete(path)).status == 204
    assert (await admin.delete(path)).status == 204
    await integrations.spy.expect(IntegrationDisconnected, lambda event: event.org == org)

    async def forgotten() -> bool:
        async with integrations.app.db.transaction(org) as tx:
            return await tx.fetchval("SELECT sealed IS NULL FROM accounts") is True

    await eventually(forgotten)
    assert telegram.bots[token].url == ""
    assert (await admin.post(f"{path}/check")).status == 409
    back = await admin.patch(path, {"settings": {}})
    assert back.json()["errors"][0]["pointer"] == "/credentials"
    await admin.patch(path, {"credentials": {"token": token}})

    async def connected() -> bool:
        return bool((await admin.get(path)).json()["state"] == "connected")

    await eventually(connected)


async def test_a_check_finds_a_revoked_token_and_its_recovery(
    integrations: Harness, org: UUID, admin: Client, connect: Connect, telegram: TelegramSimulator
) -> None:
    token = telegram.add_bot()
    account = await connect("telegram", {"token": token})
    path = f"/v1/accounts/{account['id']}/check"
    assert (await admin.post(path)).json()["ok"] is True
    bot = telegram.bots[token]
    telegram.revoke(token)
    found = (await admin.post(path)).json()
    assert (found["ok"], found["account"]["state"]) == (False, "failed")
    await integrations.spy.expect(IntegrationFailed, lambda event: event.org == org)
    telegram.bots[token] = bot
    assert (await admin.post(path)).json()["account"]["state"] == "connected"


async def test_a_dead_account_is_noticed_by_turns(
    integrations: Harness, org: UUID, admin: Client, connect: Connect, telegram: TelegramSimulator
) -> None:
    token, well = telegram.add_bot(), await connect("telegram", {"token": telegram.add_bot()})
    dead = await connect("telegram", {"token": token})
    telegram.revoke(token)
    await check_by_turns(integrations.app)
    assert (await admin.get(f"/v1/accounts/{dead['id']}")).json()["state"] == "connected"
    await integrations.app.db.execute("UPDATE hook_routes SET checked_at = now() - interval '1 hour'")
    await check_by_turns(integrations.app)
    await integrations.spy.expect(IntegrationFailed, lambda event: event.org == org)
    assert (await admin.get(f"/v1/accounts/{dead['id']}")).json()["state"] == "failed"
    assert (await admin.get(f"/v1/accounts/{well['id']}")).json()["state"] == "connected"


async def test_nobody_elses_account_is_there(
    integrations: Harness, org: UUID, connect: Connect, telegram: TelegramSimulator
) -> None:
    account = await connect("telegram", {"token": telegram.add_bot()})
    path = f"/v1/accounts/{account['id']}"
    stranger = integrations.client(new_id())
    tried = [
        await stranger.get(path),
        await stranger.patch(path, {"name": "x"}),
        await stranger.delete(path),
        await stranger.post(f"{path}/check"),
    ]
    assert {answer.status for answer in tried} == {404}
    member = integrations.client(org, "team_member")
    assert (await member.get(path)).status == 200
    assert (await member.delete(path)).status == 403


async def test_connectors_say_what_they_need(admin: Client) -> None:
    found = {each["connector"]: each for each in (await admin.get("/v1/connectors")).json()}
    assert {"telegram", "generic", "caldav"} <= set(found)
    assert (found["caldav"]["kind"], found["caldav"]["capabilities"]["syncs"]) == ("calendar", True)
    assert found["generic"]["capabilities"]["idempotent_send"] is True
    assert found["telegram"]["actions"] == ["send_message", "show_typing"]
    assert found["telegram"]["config_schema"]["properties"].keys() == {"settings", "credentials"}
