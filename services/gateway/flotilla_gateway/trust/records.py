"""What the gateway's tables say of keys and plans, as memory takes it over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What the table says of a key."""

    api_key_id: UUID
    organization_id: UUID
    verifier: bytes | None
    scopes: tuple[str, ...]
    role: str
    created_by: UUID
    expires_at: datetime | None
    revoked: bool
    requests_per_hour: int | None = None
    """At most, within its organization's plan; None: as often as that says."""

    @property
    def is_good(self) -> bool:
        """Not revoked; when it expires is looked at when it is used."""
        return self.verifier is not None and not self.revoked


@dataclass(frozen=True, slots=True)
class Membership:
    """What changed lately of a person in an organization."""

    role: str
    role_id: UUID | None
    """The organization's own role, where they have one."""
    state: str


@dataclass(frozen=True, slots=True)
class OwnRole:
    """What an organization's own role may: nothing, once it is deleted."""

    organization_id: UUID
    role_id: UUID
    grants: dict[str, str]


@dataclass(frozen=True, slots=True)
class Entitled:
    """What the table says of one feature of one organization."""

    organization_id: UUID
    feature: str
    enabled: bool
    usage_limit: int | None
    used_up: bool
    period_ends_at: datetime | None
