"""Events on the wire: encoding with msgspec, the envelope decoded with raw `data`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from flotilla.cause import Cause
from flotilla.events.base import MAX_EVENT_BYTES, SEQUENCE_WIDTH, Contract, Envelope, Event, contract_of
from flotilla.ids import new_id

T_co = TypeVar("T_co", bound=Event, covariant=True)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


class EventTooLargeError(ValueError):
    """An event holds at most 64 KiB; longer texts go by reference."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded event, as it stands in the outbox."""

    id: UUID
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Received(Generic[T_co]):
    """An event as a handler sees it."""

    envelope: Envelope
    data: T_co
    cause: Cause
    """What the effects of this event carry: its correlation, its id as causation, its actor and trace."""

    @property
    def id(self) -> UUID:
        """The event's id: once per event, however often it is delivered."""
        return self.envelope.id

    @property
    def org(self) -> UUID:
        """The organization it belongs to."""
        return self.envelope.organizationid

    @property
    def sequence(self) -> int:
        """The owner's count of this entity's changes: the newer state has the higher one."""
        return int(self.envelope.sequence)

    @property
    def subject(self) -> str:
        """The entity's id."""
        return self.envelope.subject


def encode(
    data: Event,
    *,
    org: UUID,
    sequence: int,
    cause: Cause,
    region: str,
    service: str | None = None,
    audience: str | None = None,
    event_id: UUID | None = None,
) -> Outgoing:
    """One event in its envelope; EventTooLargeError past 64 KiB. `service` says whose a wish or a shared fact is."""
    contract = contract_of(type(data))
    anyones = contract.wish or contract.shared
    envelope = Envelope(
        id=event_id or new_id(),
        source=f"/flotilla/{service}" if anyones and service else contract.source,
        type=contract.type,
        subject=str(getattr(data, contract.subject)),
        time=datetime.now(UTC),
        organizationid=org,
        region=region,
        sequence=f"{sequence:0{SEQUENCE_WIDTH}d}",
        correlationid=cause.correlation_id,
        causationid=cause.causation_id,
        requestid=cause.request_id,
        traceparent=cause.traceparent,
        actor=cause.actor,
        audience=audience,
        dataschema=contract.dataschema,
        data=msgspec.Raw(_encoder.encode(data)),
    )
    body = _encoder.encode(envelope)
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLargeError(f"{contract.type} has {len(body)} bytes")
    return Outgoing(envelope.id, contract.type, body)


def decode(body: bytes) -> Envelope:
    """The envelope, its data still raw; msgspec.DecodeError for what is none."""
    return _decoder.decode(body)


def receive(envelope: Envelope, contract: Contract) -> Received[Event]:
    """The event with its data decoded; msgspec.ValidationError where it breaks its contract."""
    cause = Cause(
        correlation_id=envelope.correlationid,
        causation_id=envelope.id,
        request_id=envelope.requestid,
        actor=envelope.actor,
        traceparent=envelope.traceparent,
    )
    return Received(envelope, contract.decoder.decode(envelope.data), cause)
