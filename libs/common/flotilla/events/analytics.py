"""Events of analytics: rebuilding projections from the archive, and reading the archive from a position."""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="analytics")


@_event("replay.requested.v1", subject="replay_id", wish=True)
class ReplayRequested(Event, frozen=True, kw_only=True):
    """Projections of a service shall be built anew from the archive, beside the ones that stand, and take their
    place. Answered by `replay.finished` or `replay.failed` of that service.

    Without filters they are replaced as a whole. With `types`, `subjects` or `since` only what the archive tells of
    those events is set right, and nothing is removed.
    """

    request_id: UUID
    replay_id: UUID
    service: str
    projections: tuple[str, ...] = ()
    """Names of its projections; none: all of them."""
    organizations: tuple[UUID, ...] = ()
    """None: all of the region. Read only where the wish is the platform's; else it is the organization's own."""
    types: tuple[str, ...] = ()
    """Exact types; none: all that the projections take."""
    subjects: tuple[str, ...] = ()
    """Ids of entities; none: all."""
    since: Moment | None = None
    """Events of this time and later."""
    latest: bool = True
    """The newest state of each entity only; else all events, in the order of the archive."""


@_event("replay.started.v1", subject="replay_id", shared=True)
class ReplayStarted(Event, frozen=True, kw_only=True):
    """A service has begun a new generation: from here on live events go into both."""

    request_id: UUID
    replay_id: UUID
    service: str
    projections: list[str]
    types: list[list[str]]
    """Of each projection, in this order: the types that it is to be given."""


@_event("replay.finished.v1", subject="replay_id", shared=True)
class ReplayFinished(Event, frozen=True, kw_only=True):
    """The new generation has taken the place of the old one. The counts say how the old one differed."""

    request_id: UUID
    replay_id: UUID
    service: str
    projections: list[str]
    events: int
    """How many of the archive's were applied."""
    added: int
    """Rows that were missing."""
    updated: int
    """Rows that were wrong."""
    removed: int
    """Rows that the archive knows nothing of."""


@_event("replay.failed.v1", subject="replay_id", shared=True)
class ReplayFailed(Event, frozen=True, kw_only=True):
    """The projections stand as they stood before."""

    request_id: UUID
    replay_id: UUID
    service: str
    reason: str


@_event("archive.read.requested.v1", subject="reading_id", wish=True)
class ArchiveReadRequested(Event, frozen=True, kw_only=True):
    """The archive's events of the wish's organization shall be brought to a queue of the service that asks, as
    stretches (`flotilla.replay.wire.Stretch`), in the order of their positions. Answered by `archive.read.finished`
    or `archive.read.failed`.
    """

    request_id: UUID
    reading_id: UUID
    """On every stretch."""
    queue: str
    """A queue of the asking service, `<service>.<name>`."""
    after: int = 0
    """The cursor: the position of the last event that is known."""
    types: tuple[str, ...] = ()
    """Exact types; none: all."""
    subjects: tuple[str, ...] = ()
    """Ids of entities; none: all."""
    since: Moment | None = None
    personal: bool = False
    """Whether personal fields are opened; else they are null."""


@_event("archive.read.finished.v1", subject="reading_id")
class ArchiveReadFinished(Event, frozen=True, kw_only=True):
    """Everything up to a position stands in the queue."""

    request_id: UUID
    reading_id: UUID
    position: int
    """Ask again from here."""


@_event("archive.read.failed.v1", subject="reading_id")
class ArchiveReadFailed(Event, frozen=True, kw_only=True):
    """The rest was not brought; what was brought stands."""

    request_id: UUID
    reading_id: UUID
    reason: str
