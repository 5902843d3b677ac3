"""The synthetic service, running, for the conformance suite."""

from collections.abc import AsyncIterator

import pytest
from flotilla.testing.harness import Harness
from flotilla.testing.plugin import StartService
from flotilla.testing.synthetic import service

from libs.common.tests.bus.workshop import service as workshop_service


@pytest.fixture(scope="session")
async def synthetic(start_service: StartService) -> AsyncIterator[Harness]:
    """One running replica; tests share it, each with an organization of its own."""
    async with start_service(service) as running:
        yield running


@pytest.fixture(scope="session")
async def workshop(start_service: StartService) -> AsyncIterator[Harness]:
    """Two running replicas of the workshop; the first one's harness."""
    async with (
        start_service(workshop_service) as one,
        start_service(workshop_service, instance=one.instance),
    ):
        yield one


@pytest.fixture(scope="session")
async def still(start_service: StartService) -> AsyncIterator[Harness]:
    """The workshop without its loops: a test turns the wheels by hand."""
    async with start_service(workshop_service, lanes_paused=True) as harness:
        yield harness
