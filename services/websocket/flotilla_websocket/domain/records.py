"""Whose record an event tells of: for people who may see some people's only."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla_websocket.domain.entry import Entry, said

RESOURCES: Final = {
    "ai": "drafts",
    "booking": "bookings",
    "company": "companies",
    "contact": "contacts",
    "conversation": "conversations",
    "deal": "deals",
    "insight": "conversations",
    "lead": "leads",
    "message": "conversations",
    "note": "notes",
    "policy": "conversations",
    "task": "tasks",
}
"""First word of an event's type to the records that it tells of."""
NOBODYS: Final = frozenset({"integration", "notification", "pipeline", "stage", "subscription", "usage"})
"""First words of events about what has no owner."""
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Record:
    """What an event tells of; `resource` None: nothing that has an owner."""

    resource: str | None
    owner: UUID | None


def record_of(entry: Entry) -> Record:
    """By the event's type and the owner that it names."""
    word = entry.type.partition(".")[0]
    if word in NOBODYS:
        return Record(None, None)
    told = said(entry).data
    owner = told.owner_id or told.assignee_id or told.host_id or told.author_id
    return Record(RESOURCES.get(word, UNKNOWN), owner)
