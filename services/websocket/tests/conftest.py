"""Two replicas of websocket on the same stores, for all tests; each test has an organization of its own."""

from collections.abc import AsyncIterator

import pytest
from flotilla.testing import Harness
from flotilla.testing.plugin import StartService

QUICK = {"sweep_seconds": 1.0, "fallback_seconds": 0.1, "unknown_person_seconds": 1.0, "revoked_seconds": 0.5}


@pytest.fixture(scope="session")
async def live(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("websocket", **QUICK) as harness:
        yield harness


@pytest.fixture(scope="session")
async def other(live: Harness, start_service: StartService) -> AsyncIterator[Harness]:
    """A second replica."""
    async with start_service("websocket", instance=live.instance, **QUICK) as harness:
        yield harness
