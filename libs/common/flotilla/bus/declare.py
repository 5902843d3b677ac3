"""How a service says what it does with events: lanes, projections, reactions, jobs, timers, workers.

    @projection(UserCreated, UserUpdated, lane="directory", tables=("users",))
    async def keep_user(tx: Transaction, batch: Sequence[Received[User]]) -> None: ...

    @reaction(MessageReceived, lane="messages", prepare=analyze)
    async def store_analysis(tx, batch, analyses: dict[UUID, Analysis]) -> None: ...

A projection keeps a copy: the bus gives it only the highest sequence of each subject in the batch, sorted by
(organization, subject), and it must apply a state only where it is newer. A reaction does something once per
event: the bus writes its inbox rows in the same transaction and gives it only events it has not had.
`prepare` runs before the transaction, may await the outside where that is idempotent, and its result is the
handler's third argument; it sees the whole batch, the handler maybe fewer, so key it by event id.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import msgspec

from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Event

if TYPE_CHECKING:
    from flotilla.app import App
    from flotilla.bus.consumer import Handling
    from flotilla.store.postgres import Transaction

LEASE_MARGIN: Final = timedelta(seconds=5)
"""Work is stopped this long before its lease ends, so that its end is written while it still holds."""

T = TypeVar("T", bound=Event)
P = TypeVar("P")
Payload = TypeVar("Payload", bound=msgspec.Struct)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lane:
    """A quorum queue `<service>.<name>`: events that are batched together and wait for each other."""

    name: str
    wait: timedelta = timedelta(milliseconds=100)
    """How long a batch may fill: 20 ms where people wait, 100-250 ms elsewhere."""
    busy_wait: timedelta = timedelta()
    """How long while much comes (`flotilla.bus.pace`), where that is longer: then a batch costs less an event, and
    the time that it frees is worth more to those who wait than what it takes."""
    batch: int = 200
    handling: "Callable[[App], Handling] | None" = None
    """What takes its messages where they are no events: stretches of the archive."""


class HandlerKind(StrEnum):
    """What a handler is; a rebuild runs projections only."""

    PROJECTION = "projection"
    REACTION = "reaction"


@dataclass(frozen=True)
class Handler:
    """One thing a service does with some types of events."""

    name: str
    kind: HandlerKind
    lane: str
    types: tuple[type[Event], ...]
    run: Callable[..., Awaitable[None]]
    prepare: "Callable[[App, Sequence[Received[Any]]], Awaitable[Any]] | None" = None
    tables: tuple[str, ...] = ()
    """A projection's own: it alone writes them, so that it can be built anew (`flotilla.replay`)."""
    stamps: tuple[str, ...] = ()
    """Columns of its tables that say when something was noted here, which no event tells."""
    not_rebuilt: str = ""
    """Why a projection without tables of its own cannot be built anew."""


def projection(
    *types: type[T],
    lane: str,
    tables: tuple[str, ...] = (),
    stamps: tuple[str, ...] = (),
    not_rebuilt: str = "",
) -> "Callable[[Callable[[Transaction, Sequence[Received[T]]], Awaitable[None]]], Handler]":
    """Declare a handler that keeps a copy of others' state; safe to repeat by `sequence`.

    `tables` are those that it writes and nobody else does: they are built anew with it. Each has a primary key and
    a column `sequence`. Where a table has columns of somebody else too, it has none and `not_rebuilt` says why.
    """

    def declare(run: "Callable[[Transaction, Sequence[Received[T]]], Awaitable[None]]") -> Handler:
        return Handler(
            _name(run),
            HandlerKind.PROJECTION,
            lane,
            types,
            run,
            tables=tables,
            stamps=stamps,
            not_rebuilt=not_rebuilt,
        )

    return declare


def reaction(
    *types: type[T],
    lane: str,
    prepare: "Callable[[App, Sequence[Received[T]]], Awaitable[Any]] | None" = None,
) -> "Callable[[Callable[..., Awaitable[None]]], Handler]":
    """Declare a handler that does something once per event; safe to repeat by its inbox rows."""

    def declare(run: Callable[..., Awaitable[None]]) -> Handler:
        return Handler(_name(run), HandlerKind.REACTION, lane, types, run, prepare)

    return declare


@dataclass(frozen=True)
class RawEvent:
    """An event as the archive sees it: the envelope and the bytes as they came."""

    envelope: "Any"
    body: bytes


@dataclass(frozen=True)
class Tap:
    """A handler of events as they are, undecoded, every one of them once or more: idempotent by event id.

    For what keeps or passes on the events themselves. Without `types` it has every event there is (`#`): only
    the archive does. One that is `dynamic` has none until the service binds some itself, at run time, through
    `flotilla.bus.bindings`.
    """

    name: str
    lane: str
    run: "Callable[[Transaction, Sequence[RawEvent]], Awaitable[None]]"
    types: tuple[type[Event], ...] = ()
    dynamic: bool = False


def tap(
    lane: str, *types: type[Event], dynamic: bool = False
) -> "Callable[[Callable[[Transaction, Sequence[RawEvent]], Awaitable[None]]], Tap]":
    """Declare the handler of these events as they are; of every event where none are named and none can be bound."""

    def declare(run: "Callable[[Transaction, Sequence[RawEvent]], Awaitable[None]]") -> Tap:
        return Tap(_name(run), lane, run, types, dynamic)

    return declare


@dataclass(frozen=True)
class Job:
    """A row of work in hand: leased by this process until `leased_until`, by the database's clock."""

    id: UUID
    org: UUID
    kind: str
    key: str
    payload: Any
    attempt: int
    """From 1."""
    interrupted: bool
    """An earlier attempt began and its end is not known: its process died, its time or its lease ran out, or
    its result could not be written. The outside may have been reached."""
    cause: Cause
    leased_until: datetime


@dataclass(frozen=True)
class JobKind:
    """Slow work outside, done by a worker loop with a lease, ended in a second transaction.

    `perform(app, job)` awaits the outside; `finish(tx, job, result)` writes its result and events and the row
    goes; after `attempts` failures `give_up(tx, job, error)` does, and without another try where attempts were
    used up that never came to an end. An attempt that raises `RetryLater` is run again after the time it names
    and is not counted. An attempt may take the lease less `LEASE_MARGIN`.
    """

    kind: str
    payload: type[msgspec.Struct]
    perform: "Callable[[App, Job], Awaitable[Any]]"
    finish: "Callable[[Transaction, Job, Any], Awaitable[None]]"
    give_up: "Callable[[Transaction, Job, Exception], Awaitable[None]]"
    lease: timedelta = timedelta(seconds=60)
    attempts: int = 5
    concurrency: int = 8

    def __post_init__(self) -> None:
        if self.lease <= LEASE_MARGIN:
            raise ValueError(f"{self.kind}: a lease of {self.lease} leaves no time for the work")


@dataclass(frozen=True)
class TimerKind:
    """Something that happens at a moment: `fire(tx, job)` runs once, in the transaction that removes the row.

    Where many of a kind come due at one moment, `fire_all(tx, jobs)` has up to a hundred of them, of any organizations,
    in one transaction: it asks for all at once, and names each one's cause where it emits.
    """

    kind: str
    payload: type[msgspec.Struct]
    fire: "Callable[[Transaction, Job], Awaitable[None]] | None" = None
    fire_all: "Callable[[Transaction, Sequence[Job]], Awaitable[None]] | None" = None

    def __post_init__(self) -> None:
        if (self.fire is None) == (self.fire_all is None):
            raise TypeError(f"The timer {self.kind} has either `fire` or `fire_all`.")


class RetryLater(Exception):  # noqa: N818 - an instruction, not an error
    """The outside asked to come back later (a flood wait, a 429): no attempt is counted."""

    def __init__(self, after: timedelta, why: str) -> None:
        super().__init__(why)
        self.after = after


class NotYetKnown(Exception):  # noqa: N818 - an instruction, not an error
    """An event came before its entity: hold it until `tx.arrived(entity, id)` or its back-off runs it again."""

    def __init__(self, entity: str, subject: object) -> None:
        super().__init__(f"{entity} {subject} is not known yet")
        self.waiting_for = f"{entity}:{subject}"


@dataclass(frozen=True)
class Worker:
    """Something a service does on its own, again and again: `run(app)` every `every`.

    With `leased`, one process of the service does it at a time, and a turn is cut off after three times `every`,
    at least ten seconds: do a part, and the rest in the next turn. Without, a turn may take five minutes.
    """

    name: str
    every: timedelta
    run: "Callable[[App], Awaitable[None]]"
    leased: bool = True


def _name(run: Callable[..., object]) -> str:
    return getattr(run, "__name__", "handler")
