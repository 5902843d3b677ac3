"""How likely two contacts are one person, and why: each reason adds to the likelihood or takes from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flotilla_crm.domain.contacts import Contact

MIN_SCORE: Final = 0.5
_SAME: Final = (("email", 0.9), ("phone", 0.85))
_NAME: Final = 0.6
"""Of the same name; of one that is alike, in proportion."""
_COMPANY: Final = 0.3
_OTHER: Final = 0.35
"""What is left less where both have an e-mail address, or a phone number, and not the same."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that speaks for it or against it."""

    reason: str
    """`same_email`, `same_phone`, `same_name`, `alike_name`, `same_company`, `other_email` or `other_phone`."""
    weight: float
    """From -1 to 1."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two contacts that may be one person."""

    one: Contact
    other: Contact
    score: float
    """From 0 to 1."""
    reasons: list[Reason]


def weigh(one: Contact, other: Contact, likeness: float) -> Duplicate:
    """How likely they are one person; `likeness` of their names from 0 to 1, by trigrams."""
    reasons = list(_reasons(one, other, likeness))
    doubt = 1.0
    for each in reasons:
        if each.weight > 0:
            doubt *= 1 - each.weight
    score = 1 - doubt
    for each in reasons:
        if each.weight < 0:
            score *= 1 + each.weight
    return Duplicate(one, other, round(score, 3), reasons)


def _reasons(one: Contact, other: Contact, likeness: float) -> Iterator[Reason]:
    for field, weight in _SAME:
        mine, theirs = getattr(one, field), getattr(other, field)
        if mine is not None and mine == theirs:
            yield Reason(f"same_{field}", weight)
        elif mine is not None and theirs is not None:
            yield Reason(f"other_{field}", -_OTHER)
    if likeness > 0:
        kind = "same_name" if likeness >= 1 else "alike_name"
        yield Reason(kind, round(_NAME * likeness, 3))
        # A company has many people: it says something only of a name that is alike.
        if one.company_id is not None and one.company_id == other.company_id:
            yield Reason("same_company", _COMPANY)
