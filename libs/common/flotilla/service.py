"""The table of contents of a service: its `service.py` says everything it has, and the process runs that."""

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flotilla.bus.declare import Handler, JobKind, Lane, Tap, TimerKind, Worker
from flotilla.events.base import Event
from flotilla.privacy import answering
from flotilla.privacy.declare import Privacy
from flotilla.security.keyed_hashes import HashedColumn
from flotilla.security.sealed_columns import SealedColumn
from flotilla.settings import Settings

if TYPE_CHECKING:
    from fastapi import APIRouter

    from flotilla.app import App
    from flotilla.sagas.declare import SagaKind


FLEET: Final = (
    "gateway",
    "auth",
    "billing",
    "integrations",
    "crm",
    "pipeline",
    "messaging",
    "campaign",
    "automation",
    "ai",
    "analytics",
    "kyb",
    "websocket",
)
"""The thirteen services; exactly these."""


@dataclass(frozen=True)
class Service:
    """What a service has. Everything in it is listed here, and nothing else runs."""

    name: str
    settings: type[Settings] = Settings
    documents: bool = False
    """Whether it keeps documents."""
    redis: bool = False
    """Whether it uses Redis."""
    resources: "Callable[[App], AbstractAsyncContextManager[Any]] | None" = None
    """Opens what else it holds (`App.own`), closes it at the end."""
    routes: "tuple[APIRouter, ...]" = ()
    asgi: "Callable[[App, Any], Any] | None" = None
    """Wraps the HTTP application: (app, fastapi) -> ASGI. The gateway's forwarding path is put here."""
    server: "Callable[[App], dict[str, Any]] | None" = None
    """Further options of its HTTP server (`uvicorn.Config`): the gateway's own protocol at the edge."""
    lanes: tuple[Lane, ...] = ()
    handlers: tuple[Handler, ...] = ()
    tap: Tap | None = None
    jobs: tuple[JobKind, ...] = ()
    timers: tuple[TimerKind, ...] = ()
    workers: tuple[Worker, ...] = ()
    sagas: "tuple[SagaKind[Any], ...]" = ()
    """Their `facts` stand in `handlers`, their `timer` in `timers`."""
    emits: tuple[type[Event], ...] = ()
    privacy: Privacy | None = None
    """What it holds of people. With it the service hears what all are told, on a lane of its own: whom to forget, what
    to write down, which features are on, how long what is kept; and it sweeps what is older."""
    sealed: tuple[SealedColumn, ...] = ()
    """Columns of its tables whose values are sealed under the master keys."""
    hashed: tuple[HashedColumn, ...] = ()
    """Columns of its tables with keyed hashes, by which something is found."""
    niceness: int = 0
    """From 0, what people wait for, to 19: how far its process gives way to others where the processors are full."""
    ready: "dict[str, Callable[[App], Any]]" = field(default_factory=dict)
    """Further dependencies for /readyz, by name: an awaitable that raises where it is not usable."""

    migrations_folder: Path | None = None
    """Where its migrations are, if not beside its package."""

    def __post_init__(self) -> None:
        if self.privacy is not None:
            object.__setattr__(self, "lanes", (*self.lanes, answering.lane))
            object.__setattr__(self, "handlers", (*self.handlers, *answering.handlers))
            object.__setattr__(self, "jobs", (*self.jobs, answering.work))
            object.__setattr__(self, "workers", (*self.workers, answering.worker))

    @property
    def migrations(self) -> Path:
        """The folder of its migrations."""
        if self.migrations_folder is not None:
            return self.migrations_folder
        package = importlib.import_module(f"flotilla_{self.name}")
        return Path(str(package.__file__)).parent.parent / "migrations"


def load(name: str) -> Service:
    """The service of that name: `flotilla_<name>.service.service`."""
    module = importlib.import_module(f"flotilla_{name}.service")
    service: Service = module.service
    return service


def present() -> tuple[Service, ...]:
    """The services of the fleet that are installed here, in the fleet's order."""
    found = (name for name in FLEET if importlib.util.find_spec(f"flotilla_{name}"))
    return tuple(load(name) for name in found)
