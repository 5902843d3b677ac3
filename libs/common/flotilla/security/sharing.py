"""What one organization may let another read (AUTH-5): by an explicit grant, for so long, and nothing else of it."""

from collections.abc import Iterable
from typing import Final

GRANTABLE: Final = frozenset(
    {
        "analytics:read",
        "bookings:read",
        "campaigns:read",
        "companies:read",
        "contacts:read",
        "conversations:read",
        "counterparties:read",
        "deals:read",
        "invoices:read",
        "knowledge:read",
        "leads:read",
        "notes:read",
        "organization:read",
        "pipelines:read",
        "qualifications:read",
        "search:read",
        "surveys:read",
        "tasks:read",
    }
)
"""Each opens one kind of thing; `search:read` none by itself: it finds what else is granted (contacts, companies,
messages). `events:subscribe` would open all; colleagues, keys, the audit and settings are nobody else's."""
READING: Final = frozenset({"GET", "HEAD"})
"""Methods that a guest may use."""


def shared(granted: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
    """What somebody may read of another organization: what is granted to theirs and what they may at home, both."""
    return tuple(sorted(GRANTABLE & set(granted) & set(own)))
