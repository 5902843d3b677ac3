"""The demo: made through the gateway, once."""

import aiohttp
import pytest
from flotilla.fleet import Fleet
from flotilla.seed import SeedError, content, seed
from flotilla.seed.gateway import Gateway
from flotilla.seed.people import enter
from flotilla.testing.simulators.generic import ShopSimulator
from flotilla.testing.simulators.telegram import TelegramSimulator

LISTS = ("users", "accounts", "knowledge/sources", "companies", "contacts", "notes", "tasks", "conversations")


async def _there(url: str) -> dict[str, list[str]]:
    """What the demo organization has, by list: ids."""
    async with aiohttp.ClientSession() as http:
        owner = await enter(Gateway(url, http), content.organization())
        return {name: sorted(each["id"] for each in await owner.every(f"/v1/{name}")) for name in LISTS}


async def test_a_second_run_makes_nothing_twice(fleet: Fleet) -> None:
    url = fleet.instance.public_url
    async with TelegramSimulator.running(any_token=True) as telegram, ShopSimulator.running() as shop:
        demo = await seed(url, telegram_url=telegram.address, shop_url=shop.address)
        answered = [each for each in content.conversations().conversations if each.then != "wait"]
        to_shop = [each for each in answered if each.channel == "shop"]
        await telegram.expect_sent(len(answered) - len(to_shop))
        await shop.expect_sent(len(to_shop))
        first = await _there(url)
        again = await seed(url, telegram_url=telegram.address, shop_url=shop.address)
        second = await _there(url)

    assert first == second
    assert (again.email, again.made) == (demo.email, "")
    assert len(first["conversations"]) == len(content.conversations().conversations)
    assert len(first["users"]) == len(content.organization().people)
    assert len(first["knowledge/sources"]) == len(content.knowledge().articles)
    assert demo.made.endswith(f"{len(answered)} drafts approved")
    assert len(telegram.sent) + len(shop.sent) == len(answered), "and the second run sent nothing"


@pytest.mark.parametrize("environment", ["production", "staging"])
async def test_no_demo_where_its_password_would_be_a_door(environment: str) -> None:
    with pytest.raises(SeedError, match="development only"):
        await seed("http://127.0.0.1:1", telegram_url="http://127.0.0.1:1", environment=environment)


async def test_a_fleet_that_is_down_is_told_in_a_sentence() -> None:
    with pytest.raises(SeedError, match="does not answer"):
        await seed("http://127.0.0.1:1", telegram_url="http://127.0.0.1:1")
