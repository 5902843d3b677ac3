"""Segments: contacts that fit a condition, now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.events.crm import SegmentEntered, SegmentLeft

MAX_SEGMENTS: Final = 100
"""Of an organization: each contact that changes is asked about all of them."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A saved condition."""

    id: UUID
    sequence: int = 1
    name: str
    state: str = "active"
    condition: dict[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A contact entered a segment or left it."""

    id: UUID
    sequence: int
    segment_id: UUID
    contact_id: UUID
    inside: bool
    changed_at: datetime

    def told(self, segment: Segment) -> SegmentEntered | SegmentLeft:
        """Tells of it."""
        kind = SegmentEntered if self.inside else SegmentLeft
        return kind(
            membership_id=self.id,
            segment_id=self.segment_id,
            segment_name=segment.name,
            contact_id=self.contact_id,
            changed_at=self.changed_at,
        )
