"""Who may do what (AUTH-6), in one table: a role's permissions, `<resource>:<action>`."""

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

ALL: Final = "all"
TEAM: Final = "team"
SCOPES: Final = (TEAM, ALL)
TEAM_SCOPED: Final = frozenset({"clients:assign", "teams:write"})
"""Permissions that a role may have for a person's own teams alone; the others are for all of an organization."""

ORG_WIDE_ROLES: Final = frozenset({"owner", "admin"})
"""See every event of their organization, whatever its audience."""

KNOWN: Final = frozenset().union(*ROLES.values()) | {PUBLIC}
"""Every permission there is; a route may declare no other."""


def base_of(permissions: frozenset[str]) -> str | None:
    """The smallest of `BASES` that may all of these; None where even an administrator may not."""
    return next((role for role in BASES if permissions <= ROLES[role]), None)
