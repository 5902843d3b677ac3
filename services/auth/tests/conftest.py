"""One running auth service for all tests of a worker, and people to use it."""

from collections.abc import AsyncIterator

import pytest
from flotilla.testing import Harness
from flotilla.testing.plugin import StartService
from flotilla_auth.testing import People, Person


@pytest.fixture(scope="session")
async def auth(start_service: StartService) -> AsyncIterator[Harness]:
    """Shared: each test has organizations of its own."""
    async with start_service("auth") as running:
        yield running


@pytest.fixture
def people(auth: Harness) -> People:
    """Whom a test needs."""
    return People(auth)


@pytest.fixture
async def owner(people: People) -> Person:
    """The owner of a fresh organization."""
    return await people.owner()
