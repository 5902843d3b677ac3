"""A region is a cell: of what an organization of one has, nothing is in the stores of another."""

import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aio_pika
import msgspec
import pytest
from flotilla.bus.topology import EXCHANGE
from flotilla.cells import WrongCellError
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.process import opened
from flotilla.service import FLEET, load
from flotilla.settings import Settings
from flotilla.store.migrate import migrate_all
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Person

from tests.e2e.conftest import NewOffice
from tests.e2e.encrypted import EU, REGION, SERVICES, Encrypted
from tests.e2e.everywhere import places


@asynccontextmanager
async def listening(instance: Instance) -> AsyncIterator[list[aio_pika.abc.AbstractIncomingMessage]]:
    """All that is published in a cell, as it comes."""
    heard: list[aio_pika.abc.AbstractIncomingMessage] = []
    connection = await aio_pika.connect(instance.amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EXCHANGE, "#")

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            heard.append(message)

        await queue.consume(take, no_ack=True)
        yield heard


async def force(instance: Instance, messages: list[aio_pika.abc.AbstractIncomingMessage]) -> None:
    """Publish them where they do not belong, as they are."""
    connection = await aio_pika.connect(instance.amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(EXCHANGE)
        for message in messages:
            copy = aio_pika.Message(message.body, message_id=message.message_id, delivery_mode=2)
            await exchange.publish(copy, message.routing_key or "", mandatory=False)


async def is_nowhere(fleet: Fleet, words: list[str], services: Collection[str] = FLEET) -> bool:
    """Whether no store of a cell has any of these words, once nothing waits on its lanes."""
    found = await places(fleet, words, services)
    assert found == {}
    return True


async def forced_upon(cell: Fleet, messages: list[aio_pika.abc.AbstractIncomingMessage]) -> None:
    """They are published in another cell than theirs, and its archive's lane, which hears all, has turned them away."""
    log = cell.log("analytics")
    before = log.stat().st_size

    async def all_refused() -> bool:
        with log.open("rb") as told:
            told.seek(before)
            lines = [msgspec.json.decode(line) for line in told if b"event.foreign" in line and b"\n" in line]
        return len([line for line in lines if line.get("lane") == "archive"]) >= len(messages)

    await force(cell.instance, messages)
    await eventually(all_refused, seconds=60, what="all of them turned away")


async def test_nothing_of_an_organization_of_one_region_comes_to_the_other(
    fleet: Fleet, encrypted: Encrypted, new_office: NewOffice
) -> None:
    """It works in its own cell, all that it caused is forced upon the other, and that is searched for it."""
    word = f"marigold{uuid4().hex[:8]}"
    other = encrypted.fleet
    assert fleet.instance.file.region != other.instance.file.region
    assert fleet.instance.secrets.postgres != other.instance.secrets.postgres
    async with listening(fleet.instance) as heard:
        office = await new_office(f"{word} GmbH")
        org = (await office.owner.ok("GET", "/v1/organization"))["id"]
        chat = int(time.time())
        await office.customer_writes(f"Do you have {word} in stock?", chat=chat)
        contact = (await eventually(lambda: _contacts(office.owner), what="the contact"))[0]
        wanted = {"title": f"A field of {word}", "contact_id": contact["id"]}

        async def opened_deal() -> bool:
            return (await office.owner.call("POST", "/v1/deals", wanted)).status == 201

        await eventually(opened_deal, what="pipeline knows the contact, and a deal is opened")
        await eventually(lambda: _archived(office.owner, "deal.created.v1"), what="its events in its archive")
        theirs = [message for message in list(heard) if org.encode() in message.body]
    assert len(theirs) > 10
    await forced_upon(other, theirs)
    await eventually(lambda: is_nowhere(other, [org, word], SERVICES), what="nothing of it in the other cell")
    assert await places(fleet, [word])


async def test_nor_does_anything_of_the_other_come_back(fleet: Fleet, encrypted: Encrypted) -> None:
    """The other way round: what an organization caused in the second cell is forced upon the first."""
    word, cell = f"larkspur{uuid4().hex[:8]}", encrypted.fleet
    async with encrypted.caller() as nobody, listening(cell.instance) as heard:
        wanted = {
            "organization_name": f"{word} Inc",
            "name": "Ruth",
            "email": f"{word}@example.org",
            "password": PASSWORD,
            "region": REGION,
        }
        owner = nobody.signed_in(await nobody.ok("POST", "/v1/sign-up", wanted))
        org = (await owner.ok("GET", "/v1/organization"))["id"]
        contact = await owner.ok("POST", "/v1/contacts", {"name": f"Miss {word}"})
        note = {"text": f"Has a field of {word}", "contact_id": contact["id"]}
        await owner.ok("POST", "/v1/notes", note)
        await owner.ok("POST", "/v1/companies", {"name": f"{word} & Daughters"})
        await eventually(lambda: _archived(owner, "company.created.v1"), what="its events in its archive")
        theirs = [message for message in list(heard) if org.encode() in message.body]
    told = {message.routing_key for message in theirs}
    assert {"organization.created.v1", "contact.created.v1", "company.created.v1"} <= told
    await forced_upon(fleet, theirs)
    await eventually(lambda: is_nowhere(fleet, [org, word]), what="nothing of it in the first cell")
    assert await places(cell, [word], SERVICES)


async def _contacts(owner: Person) -> list[dict[str, str]]:
    items: list[dict[str, str]] = (await owner.ok("GET", "/v1/contacts"))["items"]
    return items


async def _archived(owner: Person, kind: str) -> bool:
    items = (await owner.ok("GET", f"/v1/archive/events?type={kind}"))["items"]
    return bool(items)


async def test_who_knocks_at_the_wrong_door_is_told_the_right_one(
    encrypted: Encrypted, new_office: NewOffice
) -> None:
    owner = (await new_office("Elsewhere")).owner
    async with encrypted.caller() as nobody:
        lost = nobody.signed_in(owner.tokens)
        for path in ("/v1/contacts", "/v1/organization"):
            answer = await lost.call("GET", path)
            assert (answer.status, answer.json()["address"], answer.json()["region"]) == (421, EU, "eu")
        wanted = {
            "organization_name": "Quay",
            "name": "Olha",
            "email": f"{uuid4()}@quay.example",
            "password": "correct horse battery staple 9",
        }
        answer = await nobody.call("POST", "/v1/sign-up", {**wanted, "region": "eu"})
        assert (answer.status, answer.json()["address"]) == (421, EU)
        answer = await nobody.call("POST", "/v1/sign-up", {**wanted, "region": "moon"})
        assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/region")
        here = nobody.signed_in(await nobody.ok("POST", "/v1/sign-up", {**wanted, "region": REGION}))
        assert (await here.ok("GET", "/v1/organization"))["region"] == REGION


async def test_a_cell_opens_no_database_of_another(encrypted: Encrypted) -> None:
    ours = encrypted.fleet.instance
    strange = replace(ours, file=msgspec.structs.replace(ours.file, region="eu"))
    with pytest.raises(WrongCellError):
        await migrate_all(strange, (), topology=False)
    told: dict[str, Any] = {
        name.removeprefix("FLOTILLA_").lower(): value for name, value in ours.environment("crm").items()
    }
    with pytest.raises(WrongCellError):
        async with opened(load("crm"), Settings(**{**told, "region": "eu"})):
            pass
