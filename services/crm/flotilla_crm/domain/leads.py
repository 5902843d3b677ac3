"""Leads: people who may well buy."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from flotilla.events import leads as events

from flotilla_crm.domain.revision import Changed

DEFAULT_SOURCE: Final = "conversation"


class LeadStatus(StrEnum):
    """Where a lead stands."""

    NEW = "new"
    WORKING = "working"
    UNQUALIFIED = "unqualified"
    """A person said that nothing will come of it."""
    CONVERTED = "converted"


OPEN: Final = (LeadStatus.NEW, LeadStatus.WORKING)


@dataclass(frozen=True, kw_only=True)
class Lead:
    """Somebody who may well buy. `id`: ai's qualification."""

    id: UUID
    sequence: int = 1
    contact_id: UUID
    conversation_id: UUID | None
    company_id: UUID | None = None
    """The contact's."""
    owner_id: UUID | None = None
    status: LeadStatus = LeadStatus.NEW
    source: str = DEFAULT_SOURCE
    score: int = 0
    reasons: tuple[events.ScoreReason, ...] = ()
    deal_id: UUID | None = None
    qualified_at: datetime
    converted_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    def updated(self, changed: Changed) -> events.LeadUpdated:
        """Tells what a person changed."""
        return events.LeadUpdated(**self._state(), changed=changed)

    def converted(self, before: LeadStatus) -> events.LeadConverted:
        """Tells that they bought."""
        return events.LeadConverted(**self._state(), changed={"status": [before.value, self.status.value]})

    def scored(self, before: int) -> events.LeadScored:
        """Tells its score and why."""
        changed = {"score": [before, self.score]} if before != self.score else {}
        return events.LeadScored(**self._state(), reasons=list(self.reasons), changed=changed)

    def routed(self, rule: str) -> events.LeadRouted:
        """Tells whose it is now."""
        return events.LeadRouted(**self._state(), rule=rule, changed={"owner_id": [None, self.owner_id]})

    def _state(self) -> dict[str, Any]:
        return {
            "lead_id": self.id,
            "contact_id": self.contact_id,
            "conversation_id": self.conversation_id,
            "company_id": self.company_id,
            "owner_id": self.owner_id,
            "status": self.status.value,
            "source": self.source,
            "score": self.score,
            "deal_id": self.deal_id,
            "qualified_at": self.qualified_at,
            "converted_at": self.converted_at,
        }
