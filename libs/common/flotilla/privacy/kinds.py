"""Kinds of data, and how long each is kept: by itself, and as an organization may have it, within what law asks.

One table for the fleet: auth checks an organization's wishes against it, services sweep by it (`privacy.sweeping`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EVERYTHING: Final = "all"
"""In a legal hold: every kind."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data; periods are days."""

    what: str
    default: int | None
    """Where an organization has said nothing; None: as long as the organization is there."""
    least: int
    most: int | None
    """None: an organization may keep it for as long as it is there."""
    why: str
    """Where the limits come from."""
    by_plan: bool = False
    """Whether a plan may bound it: what an organization has of its customers, and no law says how long."""

    @property
    def fixed(self) -> bool:
        """Whether it is the same for all organizations."""
        return self.least == self.most

    def allows(self, days: int | None) -> bool:
        """Whether an organization may have this period."""
        if days is None:
            return self.most is None
        return self.least <= days and (self.most is None or days <= self.most)


_OWN: Final = "The organization answers for how long it needs it (GDPR art. 5 (1) e); ten years at most."
_TECHNICAL: Final = "Needed to find out what went wrong, and for no longer."

KINDS: Final[Mapping[str, Kind]] = {
    "messages": Kind(
        "What was written, by customers and to them, and what the AI noted", None, 1, None, _OWN, by_plan=True
    ),
    "attachments": Kind("Files of conversations", None, 1, None, _OWN, by_plan=True),
    "calls": Kind("Transcripts, summaries and recordings of calls", 365, 1, 3650, _OWN, by_plan=True),
    "notes": Kind("What colleagues noted about customers", None, 30, None, _OWN, by_plan=True),
    "outreach": Kind(
        "Whom a sequence wrote to, with which fields and links", 730, 30, 3650, _OWN, by_plan=True
    ),
    "surveys": Kind("What customers wrote in surveys; the score stays", 730, 30, 3650, _OWN, by_plan=True),
    "invoices": Kind(
        "Whom an invoice was for; numbers, days and amounts stay",
        None,
        3650,
        None,
        "Books are kept for up to ten years (HGB § 257, Code de commerce L123-22).",
    ),
    "privacy_requests": Kind(
        "Who asked for an erasure or an export, and its report",
        1095,
        730,
        3650,
        "Records of requests are kept for 24 months at least (CCPA Regulations § 7101).",
    ),
    "sessions": Kind("Where somebody was signed in from, once that is over", 1, 1, 1, _TECHNICAL),
    "automation_runs": Kind("What a rule did, and about what", 90, 7, 730, _TECHNICAL),
    "notifications": Kind("What colleagues were told", 90, 7, 365, _TECHNICAL),
    "parked_events": Kind("Events that nobody could handle", 30, 7, 90, _TECHNICAL),
    "partner_events": Kind("What partners' programs may read again", 7, 7, 7, _TECHNICAL),
    "idempotency_keys": Kind("Answers, for a request that is repeated", 1, 1, 1, _TECHNICAL),
}


def period_of(kind: str, periods: Mapping[str, int | None], bound: int | None = None) -> int | None:
    """The days that an organization with these wishes keeps a kind; None: for as long as it is there.

    `bound`: what its plan has it keep at most, None for no bound; never less than the kind's least.
    """
    days = periods.get(kind, KINDS[kind].default)
    if bound is None or not KINDS[kind].by_plan:
        return days
    most = max(bound, KINDS[kind].least)
    return most if days is None else min(days, most)


def is_held(kind: str, held: frozenset[str]) -> bool:
    """Whether a legal hold keeps it."""
    return EVERYTHING in held or kind in held
