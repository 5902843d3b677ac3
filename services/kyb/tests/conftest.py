"""One kyb on stores of its own, between a local VIES and a local GLEIF; each test has an organization of its own."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.kyb import CounterpartyChecked
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService
from flotilla.testing.simulators.gleif import GleifSimulator
from flotilla.testing.simulators.vies import ViesSimulator
from stdnum.iso7064 import mod_11_10, mod_97_10

GENTLY = {
    "vies_interval_seconds": 0.02,
    "gleif_interval_seconds": 0.02,
    "source_seconds": 3.0,
    "busy_seconds": 0.2,
    "check_seconds": 30.0,
    "retry_seconds": 0.1,
    "retries": 2,
}


@pytest.fixture(scope="session")
async def vies() -> AsyncIterator[ViesSimulator]:
    async with ViesSimulator.running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def gleif() -> AsyncIterator[GleifSimulator]:
    async with GleifSimulator.running() as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def registers_are_well(vies: ViesSimulator, gleif: GleifSimulator) -> None:
    vies.up()
    gleif.up()


@pytest.fixture(scope="session")
def settings(vies: ViesSimulator, gleif: GleifSimulator) -> dict[str, Any]:
    """What kyb is told in tests."""
    return {**GENTLY, "vies_address": vies.address, "gleif_address": gleif.address}


@pytest.fixture(scope="session")
async def kyb(start_service: StartService, settings: dict[str, Any]) -> AsyncIterator[Harness]:
    async with start_service("kyb", **settings) as harness:
        yield harness


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """Stores of this test's own: its processes start and die."""
    async with isolated(load("kyb"), f"{worker}m") as instance:
        yield instance


def german_number() -> str:
    """Eight digits and the check digit (ISO 7064 MOD 11,10), without the prefix."""
    digits = f"{random.randint(10**7, 10**8 - 1)}"
    return digits + mod_11_10.calc_check_digit(digits)


def any_lei() -> str:
    """18 characters and the check digits (ISO 7064 MOD 97-10)."""
    stem = "529900" + "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=12))
    return stem + mod_97_10.calc_check_digits(stem)


Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def make(kyb: Harness, org: UUID) -> Make:
    """Makes a counterparty: what it was answered with."""

    async def create(**values: Any) -> dict[str, Any]:
        body = {"name": "Ink & Paper GmbH", "country": "DE", **values}
        made = await kyb.client(org).post("/v1/counterparties", body)
        assert made.status == 201, made.body
        answer: dict[str, Any] = made.json()
        return answer

    return create


async def checked(kyb: Harness, counterparty_id: str, number: int = 1) -> CounterpartyChecked:
    """The counterparty's check of that number, from 1, waited for."""
    found: list[CounterpartyChecked] = []

    def is_it(event: Any) -> bool:
        return str(event.data.counterparty_id) == counterparty_id and event.id not in {*seen}

    seen: list[UUID] = []
    for _ in range(number):
        event = await kyb.spy.expect(CounterpartyChecked, is_it)
        seen.append(event.id)
        found.append(event.data)
    return found[-1]


async def bring_forward(kyb: Harness, org: UUID, kind: str) -> None:
    """Make the organization's timers of a kind due now."""
    moved = await kyb.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = $2", org, kind
    )
    assert moved == "UPDATE 1", moved
    kyb.app.jobs_wake.set()
