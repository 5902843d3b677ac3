"""What counts against a counterparty: a table of rules, each with a condition, its weight and its words.

A condition looks at what registers said and yields what it found. A finding has a key: the same finding of the next
check is not new, so no second alert is raised for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from flotilla_kyb.domain.counterparty import Changed, Standing
from flotilla_kyb.domain.identity import GLEIF, VIES, Identity, plain
from flotilla_kyb.domain.names import likeness

ALIKE: Final = 85.0
"""Names at least so alike are one business's: typing errors and word order, not another word."""


@dataclass(frozen=True)
class View:
    """What rules look at."""

    identity: Identity
    standings: Mapping[str, Standing]
    """Of the registers that cover it; last words, old ones too."""
    changed: Changed
    """`<source>.<field>` → [old, new], against the last good answer."""

    def said(self, field: str) -> str | None:
        """What a register said last of `<source>.<field>`."""
        source, _, name = field.partition(".")
        standing = self.standings.get(source)
        return None if standing is None else standing.fields.get(name)


Found = tuple[str, dict[str, str]]
"""(key, words for the rule's sentence)."""


class Condition(Protocol):
    """Looks, and yields what it finds."""

    def find(self, view: View) -> Iterator[Found]:
        """What fits, each once."""


@dataclass(frozen=True)
class Says:
    """A register says one of these values."""

    field: str
    values: frozenset[str]

    def find(self, view: View) -> Iterator[Found]:
        """The value."""
        said = view.said(self.field)
        if said in self.values:
            subject = view.identity.vat_number if self.field.startswith(VIES) else view.identity.lei
            yield f"{subject} {said}", {"said": said or "", "subject": subject or ""}


@dataclass(frozen=True)
class NameUnlike:
    """A register knows it by another name."""

    field: str

    def find(self, view: View) -> Iterator[Found]:
        """The other name."""
        said = view.said(self.field)
        if said and (score := likeness(view.identity.name, said)) < ALIKE:
            yield said, {"said": said, "subject": view.identity.name, "score": f"{score:.0f}"}


@dataclass(frozen=True)
class Differs:
    """A register gives another value than the counterparty was entered with."""

    field: str
    ours: str

    def find(self, view: View) -> Iterator[Found]:
        """The other value, where both are known."""
        said, entered = view.said(self.field), getattr(view.identity, self.ours)
        if said and entered and plain(said) != plain(entered) and not plain(said).endswith(plain(entered)):
            yield said, {"said": said, "subject": entered}


@dataclass(frozen=True)
class Changes:
    """A register says something else than it did when it last answered."""

    fields: tuple[str, ...]

    def find(self, view: View) -> Iterator[Found]:
        """Old and new, where both were told."""
        for field in self.fields:
            old, new = view.changed.get(field, [None, None])
            if old and new:
                yield f"{field} {new}", {"said": new, "subject": old}


@dataclass(frozen=True)
class Unanswered:
    """A register was not to be had."""

    source: str

    def find(self, view: View) -> Iterator[Found]:
        """Its name."""
        standing = view.standings.get(self.source)
        if standing is not None and not standing.answered:
            last = f"{standing.confirmed_at:%Y-%m-%d %H:%M} UTC" if standing.confirmed_at else "never"
            yield self.source, {"said": standing.reason or "", "subject": last}


@dataclass(frozen=True)
class NothingToAsk:
    """No register knows anything by what was entered."""

    def find(self, view: View) -> Iterator[Found]:
        """Once."""
        if not view.standings:
            yield "", {}


@dataclass(frozen=True)
class Rule:
    """One thing that counts against a counterparty."""

    type: str
    severity: str
    points: int
    when: Condition
    says: str
    """Its sentence; {said} is the register's word, {subject} what it is compared with."""
    alerts: bool = True


GONE: Final = frozenset({"RETIRED", "ANNULLED", "DUPLICATE", "MERGED", "CANCELLED", "TRANSFERRED"})
_PARENTS: Final = (f"{GLEIF}.direct_parent", f"{GLEIF}.ultimate_parent")

RULES: Final = (
    Rule(
        "vat_invalid",
        "critical",
        60,
        Says("vies.registered", frozenset({"no"})),
        "VIES does not know the VAT number {subject}.",
    ),
    Rule(
        "lei_unknown",
        "critical",
        60,
        Says("gleif.registered", frozenset({"no"})),
        "GLEIF does not know the LEI {subject}.",
    ),
    Rule(
        "lei_retired",
        "critical",
        50,
        Says("gleif.registration_status", GONE),
        "The LEI {subject} is {said}.",
    ),
    Rule(
        "entity_inactive",
        "high",
        50,
        Says("gleif.entity_status", frozenset({"INACTIVE"})),
        "GLEIF says that the entity of {subject} is no longer active.",
    ),
    Rule(
        "lei_lapsed",
        "medium",
        20,
        Says("gleif.registration_status", frozenset({"LAPSED"})),
        "The LEI {subject} was not renewed.",
    ),
    Rule(
        "name_mismatch",
        "high",
        30,
        NameUnlike("vies.name"),
        "VIES knows it as “{said}”, not “{subject}” ({score} of 100 alike).",
    ),
    Rule(
        "name_mismatch",
        "high",
        30,
        NameUnlike("gleif.name"),
        "GLEIF knows it as “{said}”, not “{subject}” ({score} of 100 alike).",
    ),
    Rule(
        "country_mismatch",
        "medium",
        15,
        Differs("gleif.country", "country"),
        "GLEIF has it in {said}, not {subject}.",
    ),
    Rule(
        "registry_number_mismatch",
        "medium",
        15,
        Differs("gleif.registered_as", "registry_number"),
        "GLEIF has the registry number {said}, not {subject}.",
    ),
    Rule(
        "name_changed",
        "medium",
        10,
        Changes(("vies.name", "gleif.name")),
        "Its name was “{subject}” and is “{said}”.",
    ),
    Rule(
        "address_changed",
        "low",
        5,
        Changes(("vies.address", "gleif.address")),
        "Its address was “{subject}” and is “{said}”.",
    ),
    Rule("parent_changed", "medium", 15, Changes(_PARENTS), "Its parent was {subject} and is {said}."),
    Rule(
        "unverified",
        "low",
        10,
        Unanswered(VIES),
        "VIES could not be asked; it last answered: {subject}. {said}",
        alerts=False,
    ),
    Rule(
        "unverified",
        "low",
        10,
        Unanswered(GLEIF),
        "GLEIF could not be asked; it last answered: {subject}. {said}",
        alerts=False,
    ),
    Rule(
        "nothing_to_ask",
        "low",
        20,
        NothingToAsk(),
        "No register can be asked: it has neither a VAT number of the EU nor an LEI.",
        alerts=False,
    ),
)


@dataclass(frozen=True)
class Finding:
    """Something that counts against it."""

    type: str
    key: str
    severity: str
    points: int
    detail: str
    alerts: bool


def judge(view: View, rules: tuple[Rule, ...] = RULES) -> list[Finding]:
    """Everything that counts against it, the heaviest first."""
    found = [
        Finding(rule.type, key, rule.severity, rule.points, rule.says.format_map(words).strip(), rule.alerts)
        for rule in rules
        for key, words in rule.when.find(view)
    ]
    return sorted(found, key=lambda finding: -finding.points)
