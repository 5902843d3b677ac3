"""Keys with which programs act for an organization."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.problems import UnprocessableError
from flotilla.security.permissions import PUBLIC, ROLES

PREFIX: Final = "flt_"
HINT_LENGTH: Final = 8
NOT_FOR_PROGRAMS: Final = frozenset({PUBLIC, "api_keys:write", "profile:write"})
"""A key that leaked must not be able to make others, nor change who its maker is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key's entry: all there is of it but the key."""

    organization_id: UUID
    id: UUID
    sequence: int
    name: str
    hint: str
    verifier: bytes
    scopes: list[str]
    role: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    requests_per_hour: int | None
    """At most, within the plan's; None: as often as the plan says."""
    revoked_at: datetime | None
    revoke_reason: str | None
    used_at: datetime | None

    def state_at(self, now: datetime) -> str:
        """`active`, `revoked`, or `expired`, which nobody has to write down."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


def new_api_key() -> str:
    """256 random bits; the prefix lets scanners of leaked secrets know it."""
    return PREFIX + secrets.token_urlsafe(32)


def checked_scopes(wanted: Iterable[str], role: str) -> list[str]:
    """Sorted and without repetitions; a 422 problem names those that whoever has `role` cannot give away."""
    scopes = list(wanted)
    grantable = ROLES.get(role, frozenset()) - NOT_FOR_PROGRAMS
    errors = [
        {"pointer": f"/scopes/{place}", "detail": f"`{scope}` is not a permission that you can give a key."}
        for place, scope in enumerate(scopes)
        if scope not in grantable
    ]
    if errors:
        raise UnprocessableError("A key carries only permissions that you have yourself.", errors=errors)
    return sorted(set(scopes))
