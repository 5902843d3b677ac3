"""Fixtures for every test: `start_service` and `org`. Registered by the root conftest."""

import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TextIO
from uuid import UUID

import pytest
import structlog
from hypothesis import HealthCheck, settings

from flotilla.ids import new_id
from flotilla.service import Service, load
from flotilla.testing.harness import Harness, running


def pytest_configure() -> None:
    """Log as a process does, but for what it needs no lines of JSON: structlog's own default draws tracebacks for
    most of a second, in which nothing else runs."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=_plain),
        ],
    )
    # How long an example takes is the machine's, and what else it does.
    settings.register_profile(
        "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")


def _plain(file: TextIO, exc_info: Any) -> None:
    file.writelines(traceback.format_exception(*exc_info))


StartService = Callable[..., AbstractAsyncContextManager[Harness]]


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """This test worker's name."""
    config: Any = request.config
    return str(getattr(config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture(scope="session")
def start_service(worker: str) -> StartService:
    """`async with start_service("crm") as crm:` a service on stores of its own; settings as keywords."""

    def start(service: str | Service, **settings: Any) -> AbstractAsyncContextManager[Harness]:
        return running(load(service) if isinstance(service, str) else service, worker, **settings)

    return start


@pytest.fixture
def org() -> UUID:
    """A fresh organization: nothing of another test's is in it."""
    return new_id()
