"""The synthetic service, running, for the conformance suite."""

from collections.abc import AsyncIterator

import pytest
from flotilla.testing.harness import Harness
from flotilla.testing.plugin import StartService
from flotilla.testing.synthetic import service


@pytest.fixture(scope="session")
async def synthetic(start_service: StartService) -> AsyncIterator[Harness]:
    """One running replica; tests share it, each with an organization of its own."""
    async with start_service(service) as running:
        yield running
