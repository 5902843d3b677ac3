"""The demo as a whole."""

import asyncio
import ssl
from dataclasses import dataclass

import aiohttp

from flotilla.seed import channels, content, customers, people, records
from flotilla.seed.channels import Simulators
from flotilla.seed.gateway import LIMIT_SECONDS, Gateway, SeedError


@dataclass(frozen=True)
class Demo:
    """What there is to see, and how to sign in: the one secret that a demo may tell."""

    organization: str
    email: str
    password: str
    made: str
    """What was missing before, in a few words; empty where nothing was."""


async def seed(
    gateway_url: str,
    *,
    telegram_url: str,
    shop_url: str = "",
    environment: str = "development",
    tls: ssl.SSLContext | None = None,
) -> Demo:
    """Make what is missing of the demo organization; SeedError where that cannot be done.

    `tls`: whom to believe that it is the gateway, where that is no public authority.
    Its password is known to everybody who reads this, so it is made for development only.
    """
    if environment != "development":
        raise SeedError(f"The demo is for development only; this is {environment}.")
    wanted, simulators = content.organization(), Simulators(telegram_url, shop_url)
    connector = aiohttp.TCPConnector(ssl=tls or True)
    async with aiohttp.ClientSession(connector=connector, timeout=LIMIT_SECONDS) as http:
        nobody = Gateway(gateway_url, http)
        owner = await people.enter(nobody, wanted)
        ids = await people.members(owner, nobody, wanted)
        articles, _ = await asyncio.gather(
            records.write_articles(owner, content.knowledge()), channels.connect(owner, simulators)
        )
        records_made, (begun, approved) = await asyncio.gather(
            records.keep_records(owner, content.crm(), ids), _converse(owner, simulators)
        )
    counts = {
        "articles": articles,
        "records": records_made,
        "conversations": begun,
        "drafts approved": approved,
    }
    made = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return Demo(wanted.name, wanted.people[0].email, people.PASSWORD, made)


async def _converse(owner: Gateway, simulators: Simulators) -> tuple[int, int]:
    """How many conversations were begun, and drafts approved."""
    there = {"telegram", "shop"} if simulators.shop else {"telegram"}
    wanted = [each for each in content.conversations().conversations if each.channel in there]
    fresh = await customers.write(owner, simulators, wanted)
    to_answer = [each for each in wanted if each.customer in fresh and each.then != "wait"]
    answers = await asyncio.gather(
        *(customers.answer(owner, fresh[each.customer], each.then) for each in to_answer)
    )
    return len(fresh), sum(answers)
