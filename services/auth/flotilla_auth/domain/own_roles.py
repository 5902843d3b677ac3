"""An organization's own roles: which permissions, and whether for all of it, a person's own teams or their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.problems import UnprocessableError
from flotilla.security.permissions import (
    ALL,
    ESSENTIAL,
    KNOWN,
    NOT_FOR_OWN_ROLES,
    PUBLIC,
    ROLES,
    base_of,
    scope_of,
    scopes_of,
    shown_beyond,
)

ACTIVE: Final = "active"
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRole:
    """A role that an organization made."""

    organization_id: UUID
    id: UUID
    name: str
    base: str
    """The smallest built-in role that may all of it: what other services go by."""
    permissions: dict[str, str]
    """Permission to scope: `own`, `team` or `all`."""
    state: str
    sequence: int
    created_at: datetime


def checked(wanted: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """(base, permissions) of a role that shall have these; a 422 problem names those that it cannot have."""
    errors = [
        {"pointer": f"/permissions/{name}", "detail": objection}
        for name, scope in wanted.items()
        if (objection := _objection(name, scope, wanted))
    ]
    if errors:
        raise UnprocessableError("A role cannot have all of these permissions.", errors=errors)
    permissions = dict(sorted({**wanted, **dict.fromkeys(ESSENTIAL, ALL)}.items()))
    base = base_of(frozenset(permissions))
    assert base is not None, "administrators may everything"
    return base, permissions


def permissions_of(role: str, own: OwnRole | None) -> dict[str, str]:
    """All that somebody may who has this role, or their organization's own, and for what: permission to scope."""
    names = ROLES[role] if own is None else own.permissions
    grants = None if own is None else own.permissions
    return {name: scope for name in sorted(names) if (scope := scope_of(role, grants, name))}


def _objection(name: str, scope: str, wanted: Mapping[str, str]) -> str | None:
    if name not in KNOWN - {PUBLIC}:
        return "There is no such permission."
    if name in NOT_FOR_OWN_ROLES:
        return "Only owners and administrators may do this."
    if scope not in scopes_of(name):
        return f"This is for {' or '.join(scopes_of(name))}, or for nobody."
    if (narrow := shown_beyond(wanted, name)) is not None:
        return f"This shows the records of everybody: it takes `{narrow}` for all."
    return None
