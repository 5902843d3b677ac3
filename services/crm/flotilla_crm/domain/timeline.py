"""The timeline: what happened with a contact or a company, by reference."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What happened; each says of what kind of thing `reference_id` is the id."""

    CONTACT_CREATED = "contact.created"
    CONTACT_IDENTIFIED = "contact.identified"
    """`reference_id`: the channel identity."""
    CONTACT_MERGED = "contact.merged"
    """`reference_id`: the merge, as for the next."""
    CONTACT_UNMERGED = "contact.unmerged"
    MESSAGE_RECEIVED = "message.received"
    MESSAGE_SENT = "message.sent"
    TASK_CREATED = "task.created"
    TASK_COMPLETED = "task.completed"
    TASK_DELETED = "task.deleted"
    NOTE_CREATED = "note.created"
    LEAD_CREATED = "lead.created"
    """`reference_id`: the lead, which is ai's qualification."""
    LEAD_CONVERTED = "lead.converted"
    BOOKING_CONFIRMED = "booking.confirmed"
    BOOKING_CANCELLED = "booking.cancelled"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened. `id` is the event's that told of it, so that an entry is written once."""

    id: UUID
    org: UUID
    kind: Kind
    at: datetime
    reference_id: UUID
    contact_id: UUID | None = None
    identity_id: UUID | None = None
    """Stands for the contact where only the channel identity is known."""
    company_id: UUID | None = None
    """By default the contact's company at the time of writing."""
    conversation_id: UUID | None = None
    actor: str | None = None
