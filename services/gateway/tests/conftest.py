"""A gateway for each test: it is cheap, and settings differ."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from services.gateway.tests.world import World, world

StartWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def start_world(tmp_path: Path) -> StartWorld:
    """`async with start_world(body_bytes=2048) as world:` with settings as keywords."""
    return lambda **settings: _started(tmp_path, settings)


def _started(folder: Path, settings: dict[str, Any]) -> AbstractAsyncContextManager[World]:
    return world(folder, **settings)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[World]:
    """A gateway with its default settings."""
    async with world(tmp_path) as running:
        yield running
