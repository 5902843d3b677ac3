"""What is known of some people and their organizations, and what follows for writing to them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from flotilla.consent import store
from flotilla.consent.regions import region_of_zone
from flotilla.consent.rules import OwnRule, Said, Verdict, judged
from flotilla.events.crm import ConsentChanged
from flotilla.store.postgres import Transaction

Key = tuple[UUID, UUID]
"""(organization, contact)."""


@dataclass
class _Person:
    lives_in: str | None = None
    """By their telephone number."""
    said: dict[UUID, tuple[int, Said]] = field(default_factory=dict)
    """By the consent's id, with its sequence."""


@dataclass
class Known:
    """Of the people that `read` was asked for; of others that nothing is."""

    home: OwnRule
    """The rule of organizations that decided nothing: their cell's law."""
    rules: dict[UUID, OwnRule] = field(default_factory=dict)
    """What the others decided."""
    people: defaultdict[Key, _Person] = field(default_factory=lambda: defaultdict(_Person))

    def hear(self, org: UUID, consent: ConsentChanged, sequence: int) -> None:
        """Count this too, where it is newer: what a consent leads to may come before it was kept."""
        if consent.purpose == store.MARKETING:
            said = Said(consent.channel, consent.state, consent.legal_basis, consent.said_at)
            self.note((org, consent.contact_id), consent.consent_id, sequence, said)

    def verdict(
        self, org: UUID, contact_id: UUID | None, now: datetime, *, time_zone: str | None = None
    ) -> Verdict:
        """Whether they may be written to, and how, or why not. Nobody's contact yet: nothing is on record of them.

        They live where their time zone says, where one is known that does; else where their telephone number does.
        """
        person = _Person() if contact_id is None else self.people.get((org, contact_id), _Person())
        lives_in = region_of_zone(time_zone) or person.lives_in
        said = [each for _, each in person.said.values()]
        return judged(self.rules.get(org, self.home), lives_in, said, now)

    def note(self, key: Key, id_: UUID, sequence: int, said: Said) -> None:
        """Count this, where it is newer."""
        known = self.people[key].said
        if id_ not in known or known[id_][0] < sequence:
            known[id_] = (sequence, said)


async def read(tx: Transaction, orgs: Iterable[UUID], people: Iterable[Key]) -> Known:
    """What this service keeps of them; two statements for all."""
    known = Known(OwnRule(tx.app.settings.region))
    for row in await store.rules_of(tx, sorted(set(orgs))):
        known.rules[row["organization_id"]] = OwnRule(row["region"], row["strict"], row["known"])
    asked = sorted(set(people))
    for row in await store.about(tx, asked) if asked else []:
        key = row["org"], row["contact"]
        known.people[key].lives_in = row["lives_in"]
        if row["id"] is not None:
            said = Said(row["channel"], row["state"], row["basis"], row["said_at"])
            known.note(key, row["id"], row["sequence"], said)
    return known
