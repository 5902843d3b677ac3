"""One running auth service for all tests of a worker, and people to use it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox
from flotilla.testing.plugin import StartService
from flotilla_auth.testing import People, Person


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """What auth sends; each test has people of its own."""
    with Mailbox.running() as running:
        yield running


@pytest.fixture(scope="session")
async def auth(start_service: StartService, mailbox: Mailbox) -> AsyncIterator[Harness]:
    """Shared: each test has organizations of its own."""
    mail = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_tls": "none"}
    async with start_service("auth", **mail) as running:
        yield running


@pytest.fixture
def people(auth: Harness) -> People:
    """Whom a test needs."""
    return People(auth)


@pytest.fixture
async def owner(people: People) -> Person:
    """The owner of a fresh organization."""
    return await people.owner()
