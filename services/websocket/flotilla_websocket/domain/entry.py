"""An event as people see it: without what only the fleet needs, and where it stands in the feed."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events.base import CONTRACTS, Envelope

_encoder: Final = msgspec.json.Encoder()


class PublicEvent(msgspec.Struct, frozen=True):
    """What clients get of an envelope; `data` is the event's own, but for what is internal to the fleet."""

    id: UUID
    type: str
    time: datetime
    subject: str
    sequence: int
    actor: str | None
    correlation_id: UUID
    data: msgspec.Raw


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One line of the feed; an array on its way between replicas."""

    id: UUID
    org: UUID
    type: str
    audience: str | None
    event: str
    """The public event, as JSON."""


class About(msgspec.Struct, frozen=True):
    """What an event says about whom: the few fields of `data` that matter here."""

    conversation_id: UUID | None = None
    contact_id: UUID | None = None
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    client_id: UUID | None = None
    user_id: UUID | None = None
    owner_id: UUID | None = None
    assignee_id: UUID | None = None
    host_id: UUID | None = None
    author_id: UUID | None = None
    role: str | None = None
    state: str | None = None


class Said(msgspec.Struct, frozen=True):
    """A public event, read back as far as it matters here."""

    data: About
    sequence: int = 0


_said: Final = msgspec.json.Decoder(Said)


def entry_of(envelope: Envelope) -> Entry:
    """The line of the feed for an event."""
    public = PublicEvent(
        id=envelope.id,
        type=envelope.type,
        time=envelope.time,
        subject=envelope.subject,
        sequence=int(envelope.sequence),
        actor=envelope.actor,
        correlation_id=envelope.correlationid,
        data=_public(envelope),
    )
    return Entry(
        envelope.id,
        envelope.organizationid,
        envelope.type,
        envelope.audience,
        _encoder.encode(public).decode(),
    )


def _public(envelope: Envelope) -> msgspec.Raw:
    internal = _internal_fields(envelope.type)
    if not internal:
        return envelope.data
    return msgspec.Raw(_encoder.encode(msgspec.json.decode(envelope.data) | dict.fromkeys(internal)))


@cache
def _internal_fields(type_: str) -> tuple[str, ...]:
    return CONTRACTS[type_].internal_fields


def said(entry: Entry) -> Said:
    """What it says, and whom it concerns."""
    return _said.decode(entry.event)


def to_bytes(entries: Sequence[Entry]) -> bytes:
    """For the way to the other replicas."""
    return _packer.encode(entries)


def from_bytes(packed: Any) -> list[Entry]:
    """From another replica; msgspec.DecodeError for what none of them sent."""
    return _unpacker.decode(packed)


_packer: Final = msgspec.msgpack.Encoder()
_unpacker: Final = msgspec.msgpack.Decoder(list[Entry])
