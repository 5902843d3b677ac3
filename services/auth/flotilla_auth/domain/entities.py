"""Organizations, people, sessions, invitations."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

ACTIVE: Final = "active"
DEACTIVATED: Final = "deactivated"
SUSPENDED: Final = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A tenant."""

    id: UUID
    name: str
    slug: str
    locale: str
    time_zone: str
    currency: str
    region: str
    state: str
    onboarding: str
    suspended_from: str | None
    """The state it goes back to; None where it is not suspended."""
    suspension_reason: str | None
    second_factor_required: bool
    """Whether nobody enters without one."""
    allowed_origins: list[str]
    """Whose pages may call the API in a browser for its people."""
    domain: str | None
    """As its owner states it: nothing shows that it is theirs, and nothing may take it for that."""
    sequence: int
    created_at: datetime

    def suspended(self, reason: str) -> "Organization":
        """Closed, for a reason; one that is closed already is so for this reason now."""
        before = self.suspended_from or self.state
        return replace(self, state=SUSPENDED, suspended_from=before, suspension_reason=reason)

    def reopened(self) -> "Organization":
        """As it was before it was closed."""
        return replace(
            self, state=self.suspended_from or self.state, suspended_from=None, suspension_reason=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person's membership of one organization; the same id in each of theirs."""

    organization_id: UUID
    id: UUID
    email: str
    name: str
    role: str
    role_id: UUID | None
    """Their organization's own role; `role` is then what they are taken for."""
    locale: str
    time_zone: str | None
    """IANA; None: their organization's."""
    avatar_version: int | None
    """The `sequence` with which their picture came; None: they have none."""
    state: str
    sequence: int
    created_at: datetime

    @property
    def active(self) -> bool:
        """Whether they may sign in to this organization."""
        return self.state == ACTIVE

    @property
    def avatar_url(self) -> str | None:
        """Where colleagues read their picture."""
        return self.avatar_at(f"/v1/users/{self.id}/avatar")

    def avatar_at(self, path: str) -> str | None:
        """That path with the picture's version, so that no cache shows the one before; None: they have none."""
        return None if self.avatar_version is None else f"{path}?v={self.avatar_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in on one device: the family of refresh tokens that came of it."""

    organization_id: UUID
    id: UUID
    user_id: UUID
    method: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    sequence: int
    authenticated_at: datetime
    """When they last proved who they are, by all factors they have."""
    factors: int
    """How many they proved it by: 1 or 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A way into an organization for the holder of its token."""

    organization_id: UUID
    id: UUID
    email: str
    role: str
    invited_by: UUID
    state: str
    expires_at: datetime
    created_at: datetime
    sequence: int
    contact_id: UUID | None
    """Of a client: the contact that they will be linked to."""

    def state_at(self, now: datetime) -> str:
        """`pending`, `accepted`, `revoked`, or `expired`, which nobody has to write down."""
        return "expired" if self.state == "pending" and self.expires_at <= now else self.state
