"""The shop, open; nothing but its routes runs."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from flotilla.testing import Client, Harness
from flotilla.testing.plugin import StartService

from libs.common.tests.http.shop import service


@pytest.fixture(scope="session")
async def shop(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service(service, lanes_paused=True) as harness:
        yield harness


@pytest.fixture
def client(shop: Harness, org: UUID) -> Client:
    """An owner of a fresh organization."""
    return shop.client(org)
