"""What a person allowed, on which channel, what for, and what shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from flotilla.events.crm import ConsentChanged

from flotilla_crm.domain.revision import Changed

Channel = Literal[
    "any", "email", "sms", "phone", "post", "whatsapp", "telegram", "instagram", "facebook", "widget"
]
Purpose = Literal["marketing", "service", "analytics", "profiling"]
State = Literal["granted", "withdrawn"]
LegalBasis = Literal["consent", "contract", "legitimate_interest", "legal_obligation"]
Source = Literal["form", "message", "call", "paper", "import", "api"]


@dataclass(frozen=True, kw_only=True)
class Consent:
    """How it stands, by what was said last."""

    id: UUID
    sequence: int = 1
    contact_id: UUID
    channel: str
    purpose: str
    state: str
    legal_basis: str
    source: str
    evidence: str | None
    actor: str | None
    said_at: datetime
    recorded_at: datetime

    def told(self, changed: Changed) -> ConsentChanged:
        """Tells how it stands now."""
        return ConsentChanged(
            consent_id=self.id,
            contact_id=self.contact_id,
            channel=self.channel,
            purpose=self.purpose,
            state=self.state,
            legal_basis=self.legal_basis,
            source=self.source,
            evidence=self.evidence,
            said_at=self.said_at,
            changed=changed,
        )
