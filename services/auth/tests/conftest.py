"""One running auth service for all tests of a worker, and people to use it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox
from flotilla.testing.plugin import StartService
from flotilla.testing.ports import free_port
from flotilla_auth.testing import People, Person


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """What auth sends; each test has people of its own."""
    with Mailbox.running() as running:
        yield running


@pytest.fixture(scope="session")
def origin() -> str:
    """Where a page may ask for passkeys; browsers take `localhost` for a safe place."""
    return f"http://localhost:{free_port()}"


@pytest.fixture(scope="session")
async def auth(start_service: StartService, mailbox: Mailbox, origin: str) -> AsyncIterator[Harness]:
    """Shared: each test has organizations of its own."""
    mail = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_tls": "none"}
    page = {"passkey_domain": "localhost", "passkey_origins": (origin,)}
    async with start_service("auth", **mail, **page) as running:
        yield running


@pytest.fixture
def people(auth: Harness, mailbox: Mailbox) -> People:
    """Whom a test needs."""
    return People(auth, mailbox)


@pytest.fixture
async def owner(people: People) -> Person:
    """The owner of a fresh organization."""
    return await people.owner()


@pytest.fixture
async def newcomer(people: People) -> Person:
    """The same, who has not shown yet that mail to their address reaches them."""
    return await people.owner(verified=False)
