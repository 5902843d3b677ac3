"""What the archive sends to who reads it: stretches of its positions, each with the events wanted of it.

A stretch is one message on a quorum queue, `application/json`. It covers the positions after `after` up to `upto`,
without gaps: who keeps `upto` in the transaction in which it does the events has had each of them exactly once,
whatever is delivered twice. The archive sends from `after` again where it died before it knew that a stretch had been
confirmed, and may go further then: events at positions that are kept have been done. A stretch may be without events.

The first message of a replay is its `Opening`; what reads the archive for itself (`archive.read.requested`) has none.
"""

from typing import Final
from uuid import UUID

import msgspec

from flotilla.cause import Cause
from flotilla.events.base import Moment

LANE: Final = "replay"
"""`<service>.replay` is the queue of a service that has projections to build anew."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of the archive; what is empty does not matter."""

    organizations: list[UUID] = []
    types: list[str] = []
    subjects: list[str] = []
    since: Moment | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What was wished for, as the service that builds anew needs it."""

    request_id: UUID
    organization_id: UUID
    """Whose wish it is; the answer is theirs too."""
    service: str
    projections: list[str]
    filter: Filter
    cause: Cause
    position: int = 0
    """The first stretch comes after this one."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Positions of the archive, with the events wanted of them."""

    id: UUID
    """The replay, or the reading."""
    after: int = 0
    upto: int = 0
    events: list[msgspec.Raw] = []
    """Whole CloudEvents as they were published, by position; personal fields are null where they were erased or not
    asked for."""
    positions: list[int] = []
    """Of these events, one each."""
    organizations: list[UUID] = []
    """All that have an event in this stretch, wanted or not."""
    caught_up: bool = False
    """Everything is in that was archived when the service said that it had begun."""
    opening: Opening | None = None
    abort: str | None = None
    """The archive gives up: why."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Stretch)


def encode(stretch: Stretch) -> bytes:
    """As it goes over the wire."""
    return _encoder.encode(stretch)


def decode(body: bytes) -> Stretch:
    """Back from the wire; msgspec.DecodeError or ValidationError for what is none."""
    return _decoder.decode(body)
