"""What of the archive grows old: which kind of data an event's personal part is, and in which week.

A kind is one of `flotilla.privacy.kinds`, so that one limit of an organization reaches the rows of every service and
what the archive tells of them. Keys are by the week: what is personal goes at most seven days after its limit, never
before it.
"""

from datetime import UTC, date, datetime
from functools import cache
from typing import Final

KINDS_OF: Final = {
    "ai.draft": "messages",
    "attachment": "messages",
    "channel.message": "messages",
    "conversation": "messages",
    "message": "messages",
    "voice.call": "calls",
    "note": "notes",
    "notification": "notifications",
    "sequence": "outreach",
    "survey": "surveys",
    "invoice": "invoices",
}
"""Entity, or the first words of the type, to the kind."""

AGELESS: Final = {
    "booking": "as long as the contact is there",
    "calendar.event": "as long as the contact is there",
    "commerce.order": "as long as the customer is there",
    "consent": "what somebody agreed to has to be shown for as long as it is gone by (GDPR art. 7 (1))",
    "contact": "who somebody is: projections are built anew from it",
    "company": "what a company is called: projections are built anew from it",
    "deal": "as long as the deal is there",
    "external.record": "what another system has of somebody, as long as it has",
    "invitation": "who was let in, by whom: part of the audit log",
    "lead": "as long as the contact is there",
    "quality": "what was said of a colleague's work, as long as they are there",
    "request": "who did what: the audit log",
    "task": "as long as what it is about",
    "user": "who did what: the audit log",
}
"""What goes with the person only: why."""

_DAYS: Final = 7
_FIRST: Final = date(1970, 1, 12).toordinal()
"""Ids begin with 1970; a Monday."""


@cache
def kind_of(type_: str) -> str:
    """The kind of data of a type's personal part; empty where it goes with the person only."""
    return _longest(KINDS_OF, type_) or ""


def is_decided(type_: str) -> bool:
    """Whether somebody has said how a type grows old."""
    return _longest(KINDS_OF, type_) is not None or _longest(AGELESS, type_) is not None


def end_of_week(time: datetime) -> date:
    """The Monday after: of what is younger, nothing is in that week."""
    ordinal = time.astimezone(UTC).date().toordinal() - 1
    monday = (ordinal // _DAYS + 1) * _DAYS + 1
    return date.fromordinal(min(max(monday, _FIRST), date.max.toordinal()))


def _longest(said: dict[str, str], type_: str) -> str | None:
    words = type_.split(".")
    for number in range(len(words), 0, -1):
        if (found := said.get(".".join(words[:number]))) is not None:
            return found
    return None
