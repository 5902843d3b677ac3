"""Who may do what (AUTH-6), in one table: a role's permissions, `<resource>:<action>`, and for which records."""

from collections.abc import Mapping
from typing import Final

PUBLIC: Final = "public"
"""For routes that need nobody to be signed in."""

_READ: Final = frozenset(
    {
        "accounts:read",
        "analytics:read",
        "bookings:read",
        "campaigns:read",
        "companies:read",
        "contacts:read",
        "conversations:read",
        "counterparties:read",
        "deals:read",
        "drafts:read",
        "events:subscribe",
        "inboxes:read",
        "invoices:read",
        "knowledge:read",
        "leads:read",
        "notes:read",
        "organization:read",
        "pipelines:read",
        "profile:read",
        "profile:write",
        "qualifications:read",
        "search:read",
        "surveys:read",
        "tasks:read",
        "teams:read",
        "users:read",
    }
)
_WORK: Final = _READ | {
    "bookings:write",
    "clients:assign",
    "companies:write",
    "contacts:delete",
    "contacts:write",
    "conversations:write",
    "counterparties:write",
    "deals:write",
    "drafts:decide",
    "leads:write",
    "messages:send",
    "notes:write",
    "qualifications:write",
    "surveys:send",
    "tasks:write",
}
_LEAD: Final = _WORK | {
    "analytics:write",
    "bookings:configure",
    "billing:read",
    "campaigns:write",
    "invoices:write",
    "journeys:read",
    "knowledge:write",
    "leads:configure",
    "pipelines:write",
    "quality:read",
    "quality:write",
    "rules:read",
    "sagas:read",
    "surveys:write",
}
_ADMINISTER: Final = _LEAD | {
    "accounts:write",
    "ai:configure",
    "api_keys:read",
    "api_keys:write",
    "archive:read",
    "billing:write",
    "inboxes:write",
    "invitations:write",
    "organization:write",
    "feature_flags:read",
    "feature_flags:write",
    "parked:read",
    "parked:write",
    "privacy:read",
    "privacy:write",
    "replays:read",
    "replays:write",
    "partners:read",
    "partners:write",
    "roles:write",
    "rules:write",
    "sagas:write",
    "teams:write",
    "users:write",
}

ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": _ADMINISTER,
    "admin": _ADMINISTER,
    "team_owner": _LEAD,
    "team_member": _WORK,
    "client": frozenset({"profile:read", "profile:write", "events:subscribe"}),
    "viewer": _READ,
}
"""Every role and what it may."""

BASES: Final = ("viewer", "team_member", "team_owner", "admin")
"""What an organization's own role may be taken for, from the least: by services that ask for nothing finer."""

ESSENTIAL: Final = frozenset({"profile:read", "profile:write"})
"""Of every role: people see and change what they are."""

NOT_FOR_OWN_ROLES: Final = frozenset(
    {
        "api_keys:write",
        "invitations:write",
        "organization:write",
        "privacy:write",
        "roles:write",
        "users:write",
    }
)
"""Who may what is for owners and administrators to say: else a role could give itself more."""

SENSITIVE: Final = frozenset(
    {
        "api_keys:write",
        "billing:write",
        "invitations:write",
        "organization:write",
        "partners:write",
        "privacy:write",
        "roles:write",
        "users:write",
    }
)
"""What moves money, gives power or lets data out: every route that changes something by one of these has to say whether
it takes a proof of the last minutes (`recent`; see flotilla.http.routes), or it cannot be made."""

ALL: Final = "all"
TEAM: Final = "team"
OWN: Final = "own"
SCOPES: Final = (OWN, TEAM, ALL)
"""From the narrowest: a person's own records; those of their teams' people too, and nobody's; all there are."""

OWNED: Final = (
    "bookings",
    "companies",
    "contacts",
    "conversations",
    "deals",
    "drafts",
    "leads",
    "notes",
    "tasks",
)
"""Records that have an owner: a booking's is its host, a task's or a conversation's who has it, a draft's who has its
conversation, a note's its author."""

SCOPED: Final[dict[str, str]] = {
    **{
        permission: resource
        for resource in OWNED
        for action in ("read", "write", "decide")
        if (permission := f"{resource}:{action}") in _WORK
    },
    "contacts:delete": "contacts",
    "messages:send": "conversations",
}
"""Permission to the records that it is about: a role may have it for `own`, `team` or `all`."""

TEAM_SCOPED: Final = frozenset({"clients:assign", "teams:write"})
"""Permissions about teams: for a person's own, or for all."""

NARROWED: Final[dict[str, dict[str, str]]] = {"team_member": {"contacts:delete": OWN}}
"""What built-in roles have for less than all."""

SHOWS: Final[dict[str, tuple[str, ...]]] = {
    "ai:configure": ("conversations",),
    "analytics:read": ("conversations", "deals", "leads"),
    "analytics:write": ("conversations", "deals", "leads"),
    "archive:read": OWNED,
    "campaigns:read": ("contacts",),
    "campaigns:write": ("contacts",),
    "drafts:decide": ("conversations",),
    "drafts:read": ("conversations",),
    "journeys:read": OWNED,
    "parked:read": OWNED,
    "parked:write": OWNED,
    "partners:read": OWNED,
    "partners:write": OWNED,
    "qualifications:read": ("conversations", "leads"),
    "qualifications:write": ("conversations", "leads"),
    "quality:read": ("conversations",),
    "quality:write": ("conversations",),
    "replays:write": OWNED,
    "rules:read": ("contacts", "conversations", "deals", "leads", "tasks"),
    "rules:write": ("contacts", "conversations", "deals", "leads", "tasks"),
    "sagas:read": ("bookings", "deals"),
    "sagas:write": ("bookings", "deals"),
    "surveys:read": ("conversations",),
    "surveys:send": ("conversations",),
}
"""Permission to records that it lets people see elsewhere than at their own routes, everybody's or those of as many as
it is held for: no role has it that reads these for less."""

ORG_WIDE_ROLES: Final = frozenset({"owner", "admin"})
"""See every event of their organization, whatever its audience."""

KNOWN: Final = frozenset().union(*ROLES.values()) | {PUBLIC}
"""Every permission there is; a route may declare no other."""


def scopes_of(permission: str) -> tuple[str, ...]:
    """What a role may have the permission for."""
    if permission in SCOPED:
        return SCOPES
    return (TEAM, ALL) if permission in TEAM_SCOPED else (ALL,)


def scope_of(role: str, grants: Mapping[str, str] | None, permission: str) -> str | None:
    """For what somebody has a permission who has this role, or one of their organization's own; None: not at all."""
    if grants is not None:
        return grants.get(permission)
    if permission not in ROLES.get(role, frozenset()):
        return None
    return NARROWED.get(role, {}).get(permission, ALL)


def shown_beyond(grants: Mapping[str, str], permission: str) -> str | None:
    """The permission whose limits this one, held for more, would get round; None where there is none."""
    scope = SCOPES.index(grants.get(permission, ALL))
    reads = (f"{resource}:read" for resource in SHOWS.get(permission, ()))
    return next((read for read in reads if SCOPES.index(grants.get(read, ALL)) < scope), None)


def is_less(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether who had these permissions loses one, or has one for less."""
    return any(
        SCOPES.index(now.get(name, OWN)) < SCOPES.index(scope) or name not in now
        for name, scope in before.items()
    )


def base_of(permissions: frozenset[str]) -> str | None:
    """The smallest of `BASES` that may all of these; None where even an administrator may not."""
    return next((role for role in BASES if permissions <= ROLES[role]), None)
