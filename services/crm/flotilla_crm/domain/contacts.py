"""Contacts and companies."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.events import crm as events
from flotilla.security.permissions import ROLES

from flotilla_crm.domain.revision import Changed, announced

ASSIGNABLE_ROLES: Final = sorted(role for role, may in ROLES.items() if "tasks:write" in may)
"""Who can own a contact or be given a task: those who could do something about it."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person."""

    id: UUID
    sequence: int = 1
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    company_id: UUID | None = None
    owner_id: UUID | None = None
    tags: list[str] = field(default_factory=list)
    source: str = "manual"
    custom_fields: dict[str, Any] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime

    def created(self) -> events.ContactCreated:
        """Tells that it came to be."""
        return events.ContactCreated(**self.state())

    def updated(self, changed: Changed) -> events.ContactUpdated:
        """Tells that it changed."""
        return events.ContactUpdated(**self.state(), changed=announced(changed))

    def state(self) -> dict[str, Any]:
        """As every event of it says."""
        return {
            "contact_id": self.id,
            "name": self.name,
            "email": self.email,
            "phone": self.phone,
            "language": self.language,
            "company_id": self.company_id,
            "owner_id": self.owner_id,
            "tags": self.tags,
            "source": self.source,
        }


@dataclass(frozen=True, kw_only=True)
class Company:
    """A company that contacts belong to."""

    id: UUID
    sequence: int = 1
    name: str
    domain: str | None = None
    owner_id: UUID | None = None
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[str, Any] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime

    def created(self) -> events.CompanyCreated:
        """Tells that it came to be."""
        return events.CompanyCreated(**self.state())

    def updated(self, changed: Changed) -> events.CompanyUpdated:
        """Tells that it changed."""
        return events.CompanyUpdated(**self.state(), changed=announced(changed))

    def state(self) -> dict[str, Any]:
        """As every event of it says."""
        return {
            "company_id": self.id,
            "name": self.name,
            "domain": self.domain,
            "owner_id": self.owner_id,
            "tags": self.tags,
        }
