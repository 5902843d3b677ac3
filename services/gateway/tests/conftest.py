"""A gateway for each test: it is cheap, and settings differ."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from flotilla.testing.plugin import StartService

from services.gateway.tests.fleet import Fleet
from services.gateway.tests.raw import ask
from services.gateway.tests.scripted import scripted
from services.gateway.tests.world import DOCUMENT, SigningKey, World, world

StartWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def way() -> dict[str, Any]:
    """Settings of all gateways of a module: where both ways of a request are looked at, it has a fixture of its own."""
    return {}


@pytest.fixture
def start_world(tmp_path: Path, way: dict[str, Any]) -> StartWorld:
    """`async with start_world(body_bytes=2048) as world:` with settings as keywords."""
    return lambda **settings: _started(tmp_path, {**way, **settings})


def _started(folder: Path, settings: dict[str, Any]) -> AbstractAsyncContextManager[World]:
    return world(folder, **settings)


@pytest.fixture
async def edge(tmp_path: Path, way: dict[str, Any]) -> AsyncIterator[World]:
    """A gateway with its default settings."""
    async with world(tmp_path, **way) as running:
        yield running


@pytest.fixture(scope="session")
async def fleet(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """One for all tests here: each has people and organizations of its own."""
    document: Path = tmp_path_factory.mktemp("gateway") / "openapi.json"
    own: dict[str, Any] = {"x-service": "gateway", "x-permission": "parked:read", "x-rate-limit": "session"}
    paths = {**DOCUMENT["paths"], "/v1/parked/gateway": {"get": own}}
    document.write_text(json.dumps({**DOCUMENT, "paths": paths}))
    key = SigningKey("first")
    async with scripted() as things:
        upstreams = f"things=http://127.0.0.1:{things.port}"
        settings = {"openapi_file": document, "upstreams": upstreams, "limit_open": "1000000/1"}
        settings["console_dir"] = document.parent
        async with start_service("gateway", **settings) as gateway:
            started = Fleet(gateway, things, key)
            assert (await ask(started.port, "GET", "/readyz")).status == 503, "auth has told no key yet"
            await started.rotated(key, sequence=1)
            await started.becomes(200, key.token())
            yield started
