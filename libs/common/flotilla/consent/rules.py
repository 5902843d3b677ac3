"""Whom one may write to unasked, by the law of where they and the organization are: one table, without any setting.

A rule says which lawful bases count and for how long, and on which channels a person of whom nothing is on record may
be written to. In the EU, the United Kingdom and Canada that is none; in the United States it is e-mail, until they opt
out. Where a person lives elsewhere than the organization, both rules hold (`judged`). An organization may be stricter;
and, where the law knows customers of one's own (`lets_known`), it may write to all with whom it has a conversation, for
a reason that it gives. Who withdrew is never written to, whatever the rule. Answers to what somebody wrote are no
marketing, and are asked nothing of all this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

FOREVER: Final = None
YEAR: Final = timedelta(days=365)
ANY_CHANNEL: Final = "any"
CHANNELS: Final = frozenset(
    {"email", "sms", "phone", "post", "whatsapp", "telegram", "instagram", "facebook", "widget"}
)
"""As crm records what was said, and as conversations have them."""
TEXTS_AND_CALLS: Final = frozenset({"sms", "phone", "whatsapp"})
NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One region's."""

    law: str
    bases: Mapping[str, timedelta | None]
    """Lawful basis, as crm records it, to how long it counts from when it was said; None: until it is withdrawn."""
    unasked: frozenset[str]
    """Channels on which somebody may be written to of whom nothing is on record, until they opt out."""
    by_consent: frozenset[str]
    """Channels on which no other basis counts than consent."""
    lets_known: bool
    """Whether an organization may count everybody with whom it has a conversation as a customer of its own."""
    sources: tuple[str, ...]
    why: str
    """What a refusal tells."""


_EU: Final = Rule(
    law="GDPR and ePrivacy Directive",
    bases={"consent": FOREVER, "contract": FOREVER, "legitimate_interest": FOREVER},
    unasked=NONE,
    by_consent=NONE,
    lets_known=True,
    sources=(
        "Regulation (EU) 2016/679, art. 6 (1) and 7",
        "Directive 2002/58/EC, art. 13 (1): consent before; (2): own customers, each time free to object",
    ),
    why="they have agreed to nothing that lets you, and consent is asked for before (GDPR art. 6, ePrivacy 13)",
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "eu": _EU,
        "uk": Rule(
            law="UK GDPR and PECR",
            bases=_EU.bases,
            unasked=NONE,
            by_consent=NONE,
            lets_known=True,
            sources=(
                "Privacy and Electronic Communications Regulations 2003 (SI 2003/2426), reg. 22 (2): consent before",
                "reg. 22 (3): own customers, similar products, each time free to object",
                "UK GDPR, art. 6 (1) and 7",
            ),
            why="they have agreed to nothing that lets you, and consent is asked for before (PECR reg. 22)",
        ),
        "ca": Rule(
            law="PIPEDA and CASL",
            bases={"consent": FOREVER, "contract": 2 * YEAR, "legitimate_interest": timedelta(days=183)},
            unasked=NONE,
            by_consent=NONE,
            lets_known=False,
            sources=(
                "S.C. 2010, c. 23, s. 6: express consent",
                "s. 10 (10): implied for two years after a purchase or contract, six months after an inquiry",
                "s. 13: whoever sends has to prove it",
                "PIPEDA, Schedule 1, 4.3: consent",
            ),
            why="their consent is not on record, or was implied and has run out (CASL s. 10)",
        ),
        "us": Rule(
            law="CAN-SPAM, TCPA and CCPA",
            bases={
                "consent": FOREVER,
                "contract": FOREVER,
                "legitimate_interest": FOREVER,
                "legal_obligation": FOREVER,
            },
            unasked=frozenset({"email"}),
            by_consent=TEXTS_AND_CALLS,
            lets_known=False,
            sources=(
                "15 U.S.C. § 7704 (a) (3) to (5): e-mail until they opt out",
                "47 U.S.C. § 227 (b) (1) (A), 47 CFR § 64.1200 (a) (2): texts and calls with written consent",
                "Cal. Civ. Code § 1798.120 and 11 CCR § 7025: opt-out of sale and sharing, Global Privacy Control",
            ),
            why="nothing lets you but e-mail, and there too you may have asked for consent on record (TCPA, CAN-SPAM)",
        ),
    }
)
"""By region. One that has no rule of its own has the strictest."""
STRICTEST: Final = "eu"


@dataclass(frozen=True, slots=True)
class OwnRule:
    """By which law an organization writes."""

    region: str
    strict: bool = False
    """Only with something on record, also where the law lets one write unasked."""
    known: bool = False
    """Whoever has a conversation with it counts as a customer of its own."""
    reason: str | None = None
    """Why they do."""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said about marketing, on a channel or any."""

    channel: str
    state: str
    basis: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether somebody may be written to."""

    refused: str | None = None
    """`withdrawn`, `consent_expired` or `no_consent`; None where they may be."""
    channels: frozenset[str] = CHANNELS
    """By these alone."""
    region: str = STRICTEST
    """By whose law."""

    def and_also(self, other: "Verdict") -> "Verdict":
        """Where two rules hold."""
        if self.refused or other.refused:
            return self if self.refused else other
        both = self.channels & other.channels
        return Verdict(None if both else "no_consent", both, other.region)


def rule_of(region: str) -> Rule:
    """The rule of a region."""
    return RULES.get(region, RULES[STRICTEST])


def verdict(
    region: str, said: Iterable[Said], now: datetime, *, strict: bool = False, known: bool = False
) -> Verdict:
    """Whether somebody may be written to by a region's rule, and how.

    `strict`: only with something on record. `known`: the organization answers for it that whoever has a conversation
    with it is a customer of its own; it counts where the law knows that, for people of whom nothing is on record.
    """
    rule, all_said = rule_of(region), list(said)
    if any(each.state != "granted" for each in all_said):
        return Verdict("withdrawn", NONE, region)
    if not all_said and known and rule.lets_known and not strict:
        return Verdict(region=region)
    counting = [each for each in all_said if each.basis in rule.bases]
    lasting = [each for each in counting if _lasts(rule, each, now)]
    channels = (NONE if strict else rule.unasked).union(*(_allowed(rule, each) for each in lasting))
    if channels:
        return Verdict(None, channels, region)
    return Verdict("consent_expired" if counting and not lasting else "no_consent", NONE, region)


def judged(own: OwnRule, lives_in: str | None, said: Iterable[Said], now: datetime) -> Verdict:
    """By the organization's rule; and by that of where they live, where it is another: the more protective holds."""
    all_said = list(said)
    found = verdict(own.region, all_said, now, strict=own.strict, known=own.known)
    if lives_in is None or lives_in == own.region:
        return found
    return found.and_also(verdict(lives_in, all_said, now, strict=own.strict, known=own.known))


def explained(region: str, reason: str) -> str:
    """The refusal, for a person."""
    rule = rule_of(region)
    if reason == "withdrawn":
        return "They do not want to be written to, and said so."
    return f"They may not be written to: {rule.why}. {rule.law}."


def _allowed(rule: Rule, said: Said) -> frozenset[str]:
    """On which channels what they said counts."""
    channels = CHANNELS if said.channel == ANY_CHANNEL else frozenset({said.channel})
    return channels if said.basis == "consent" else channels - rule.by_consent


def _lasts(rule: Rule, said: Said, now: datetime) -> bool:
    lasts = rule.bases[said.basis]
    return lasts is None or said.said_at + lasts > now
