"""Whom one may write to unasked, by the law of where they are: rules in one table, and the reason of a refusal.

A rule says which lawful bases count, and for how long. `strict`, which an organization chooses, wants one of them on
record. Without it a person who has a conversation with the organization counts as somebody it knows, where the law
lets it write to those; who withdrew is never written to, whatever the rule.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

FOREVER: Final = None
YEAR: Final = timedelta(days=365)
ANY_CHANNEL: Final = "any"


@dataclass(frozen=True, slots=True)
class Rule:
    """One region's."""

    law: str
    bases: Mapping[str, timedelta | None]
    """Lawful basis, as crm records it, to how long it counts from when it was said; None: until it is withdrawn."""
    known: bool
    """Whether who has a conversation with the organization may be written to without anything on record."""
    sources: tuple[str, ...]
    why: str = field(default="")
    """What a refusal tells."""


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "eu": Rule(
            law="GDPR and ePrivacy Directive",
            bases={"consent": FOREVER, "contract": FOREVER, "legitimate_interest": FOREVER},
            known=True,
            sources=(
                "Regulation (EU) 2016/679, art. 6 (1) and 7",
                "Directive 2002/58/EC, art. 13 (1): consent before; (2): own customers, each time free to object",
            ),
            why="they have agreed to nothing that lets you, and consent is asked for before (GDPR art. 6, ePrivacy 13)",
        ),
        "ca": Rule(
            law="PIPEDA and CASL",
            bases={"consent": FOREVER, "contract": 2 * YEAR, "legitimate_interest": timedelta(days=183)},
            known=True,
            sources=(
                "S.C. 2010, c. 23, s. 6: express consent",
                "s. 10 (10): implied for two years after a purchase or contract, six months after an inquiry",
                "PIPEDA, Schedule 1, 4.3: consent",
            ),
            why="their consent is not on record, or was implied and has run out (CASL s. 10)",
        ),
        "us": Rule(
            law="CAN-SPAM and CCPA",
            bases={
                "consent": FOREVER,
                "contract": FOREVER,
                "legitimate_interest": FOREVER,
                "legal_obligation": FOREVER,
            },
            known=True,
            sources=(
                "15 U.S.C. § 7704 (a) (4): until they opt out",
                "Cal. Civ. Code § 1798.120 and 11 CCR § 7025: opt-out of sale and sharing, Global Privacy Control",
            ),
            why="you want consent on record, and there is none",
        ),
    }
)
"""By region. One that has no rule of its own has the strictest."""
STRICTEST: Final = "eu"


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said about marketing, on a channel or any."""

    channel: str
    state: str
    basis: str
    said_at: datetime


def rule_of(region: str) -> Rule:
    """The rule of a region."""
    return RULES.get(region, RULES[STRICTEST])


def refusal(region: str, said: Iterable[Said], now: datetime, *, strict: bool) -> str | None:
    """Why they may not be written to: `withdrawn`, `consent_expired` or `no_consent`; None where they may."""
    rule, all_said = rule_of(region), list(said)
    if any(each.state != "granted" for each in all_said):
        return "withdrawn"
    counting = [each for each in all_said if each.basis in rule.bases]
    for each in counting:
        lasts = rule.bases[each.basis]
        if lasts is None or each.said_at + lasts > now:
            return None
    if counting:
        return "consent_expired"
    return None if rule.known and not strict and not all_said else "no_consent"


def explained(region: str, reason: str) -> str:
    """The refusal, for a person."""
    rule = rule_of(region)
    if reason == "withdrawn":
        return "They do not want to be written to, and said so."
    return f"They may not be written to: {rule.why}. {rule.law}."
