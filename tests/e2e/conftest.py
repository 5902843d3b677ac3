"""A whole fleet, one process a service, on stores of its own; driven through the gateway only."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from flotilla.cli import app, screen
from flotilla.fleet import Fleet
from flotilla.instance import HOST, Instance
from flotilla.native.vhost import delete_vhost, ensure_vhost
from flotilla.service import FLEET
from flotilla.testing.isolation import drop_database
from flotilla.testing.people import Office, Person
from flotilla.testing.ports import free_ports
from flotilla.testing.simulators.gleif import GleifSimulator
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla.testing.simulators.vies import ViesSimulator
from typer.testing import CliRunner, Result

from tests.e2e import server_logs
from tests.e2e.encrypted import Encrypted, encrypted_fleet
from tests.e2e.filled import Full
from tests.e2e.pairs import side_by_side
from tests.e2e.said import Said

NOWHERE = f"http://{HOST}:9"
"""Nobody listens there: no test shall reach Stripe."""
AT_ONCE = 5.0
"""Seconds within which every process knows what must count at once: one, where the fleet has a machine to itself, and
five times as long where it shares two processors with what else is tested."""
NewOffice = Callable[..., Awaitable[Office]]
Flotilla = Callable[..., Awaitable[Result]]


@pytest.fixture(scope="session")
async def vies() -> AsyncIterator[ViesSimulator]:
    """A local VIES."""
    async with ViesSimulator.running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def gleif() -> AsyncIterator[GleifSimulator]:
    """A local GLEIF."""
    async with GleifSimulator.running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def fleet(
    tmp_path_factory: pytest.TempPathFactory, vies: ViesSimulator, gleif: GleifSimulator
) -> AsyncIterator[Fleet]:
    """Started once for all tests here; each test founds organizations of its own."""
    name = f"t_{os.getpid()}_e2e"
    instance = Instance.load("test").with_isolation(
        database=name,
        vhost=name,
        documents_prefix=name,
        redis_index=254,
        service_ports=dict(zip(FLEET, free_ports(len(FLEET)), strict=True)),
        traces_file=tmp_path_factory.mktemp("traces") / "spans.jsonl",
        overrides={
            "FLOTILLA_LIMIT_SIGN_IN": "10000/60",
            "FLOTILLA_LIMIT_SESSION": "1000000/60",
            "FLOTILLA_LIMIT_DEAR": "1000000/60",
            "FLOTILLA_LIMIT_OPEN": "1000000/60",
            "FLOTILLA_BLOCK_POINTS": "100000000",
            "FLOTILLA_SCREEN_ROUTE_REQUESTS": "1000000",
            "FLOTILLA_VIES_ADDRESS": vies.address,
            "FLOTILLA_GLEIF_ADDRESS": gleif.address,
            "FLOTILLA_CHECK_SECONDS": "10",
            "FLOTILLA_ERASURE_SETTLE_SECONDS": "0.5",
            "FLOTILLA_RETRY_SECONDS": "0.1",
            "FLOTILLA_REPLAY_SETTLE_SECONDS": "2",
            "FLOTILLA_STRIPE_ADDRESS": NOWHERE,
        },
    )
    fleet = Fleet(instance)
    server_logs.begin(instance)
    await ensure_vhost(instance)
    try:
        await fleet.migrate()
        await fleet.start_services()
        yield fleet
    finally:
        await fleet.stop_services()
        await delete_vhost(instance)
        await drop_database(instance)


@pytest.fixture(scope="session")
async def encrypted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Encrypted]:
    """Another fleet, on servers of its own; the cell of another region."""
    async with encrypted_fleet(tmp_path_factory.mktemp("encrypted")) as running:
        yield running


@pytest.fixture(scope="session")
def traces(fleet: Fleet) -> Path:
    """Where every process of the fleet writes its spans."""
    assert fleet.instance.traces_file is not None
    return fleet.instance.traces_file


@pytest.fixture(scope="session")
async def telegram() -> AsyncIterator[TelegramSimulator]:
    """A local server that speaks the Bot API."""
    async with TelegramSimulator.running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def said() -> Said:
    """The secrets that callers sent and got, in all tests."""
    return Said()


@pytest.fixture(scope="session")
async def session(said: Said) -> AsyncIterator[aiohttp.ClientSession]:
    """The HTTP client of everybody."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout, trace_configs=[said.listening()]) as opened:
        yield opened


@pytest.fixture(scope="session")
async def new_office(fleet: Fleet, telegram: TelegramSimulator, session: aiohttp.ClientSession) -> NewOffice:
    """`await new_office("Harbour")`: an organization with an owner, a Telegram bot and a knowledge base."""

    async def found(name: str) -> Office:
        nobody = Person(fleet.instance.public_url, session)
        return await Office.found(nobody, telegram, name)

    return found


@pytest.fixture(scope="session")
async def pair(new_office: NewOffice, fleet: Fleet) -> list[Full]:
    """Two organizations full of data, for tests that take nothing away from either."""
    return await side_by_side(new_office, fleet)


@pytest.fixture
def flotilla(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Flotilla:
    """`await flotilla("sagas", "list")`: the command, on this fleet, on a wide screen."""
    monkeypatch.setattr(Instance, "load", lambda name: fleet.instance)
    monkeypatch.setattr(screen.console, "width", 300)
    monkeypatch.setattr(screen.errors, "width", 300)

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    return run
