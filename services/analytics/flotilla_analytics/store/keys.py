"""People's keys, and those of their weeks: made when first needed, read again each time, wrapped by the master keys.

Nothing is kept in memory between batches: a key that was destroyed or grew old is gone at once, in every process.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from flotilla.ids import derived_id
from flotilla.security.sealed_columns import SealedColumn
from flotilla.security.sealing import Keyring
from flotilla.store.postgres import Transaction

from flotilla_analytics.domain.ciphers import KEY_BYTES, PersonCipher

Person = tuple[UUID, str]
"""An organization and a reference like `contact:<id>`."""

FIND: Final = """
SELECT w.place, k.wrapped_key, p.id, p.secret
FROM unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::date[])
    AS w (place, organization_id, person, kind, ends_on)
JOIN person_keys k USING (organization_id, person)
LEFT JOIN person_periods p USING (organization_id, person, kind, ends_on)"""

# Both in one statement, each by its key, so that two processes wait for each other in one direction only. Told is what
# this one has made: of the rest another was quicker, and then its keys are the ones.
MAKE: Final = """
WITH people AS (
    INSERT INTO person_keys (organization_id, person, wrapped_key)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
    ON CONFLICT (organization_id, person) DO NOTHING RETURNING 1),
periods AS (
    INSERT INTO person_periods (organization_id, id, person, kind, ends_on, secret)
    SELECT * FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::date[], $9::bytea[])
    ON CONFLICT (organization_id, person, kind, ends_on) DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM periods)"""

OPEN: Final = """
SELECT w.place, k.wrapped_key, p.id, p.secret
FROM unnest($1::int[], $2::uuid[], $3::text[], $4::uuid[]) AS w (place, organization_id, person, id)
JOIN person_keys k USING (organization_id, person)
LEFT JOIN person_periods p ON p.organization_id = w.organization_id AND p.id = w.id"""


class Wanted(NamedTuple):
    """By which key a thing is to be sealed."""

    org: UUID
    person: str
    kind: str = ""
    """Of data that grows old; empty: by the person's own key."""
    ends_on: date = date.min
    """The end of the week."""

    @property
    def of(self) -> Person:
        """Whose it is."""
        return self.org, self.person


class Held(NamedTuple):
    """By which key a thing was sealed."""

    org: UUID
    person: str
    period: UUID | None


class Gone(StrEnum):
    """Why what is personal cannot be read any more."""

    ERASED = "erased"
    AGED_OUT = "aged_out"


Ciphers = dict[Wanted, PersonCipher | None]
_Keys = dict[Person, bytes]


async def make_ciphers(tx: Transaction, keyring: Keyring, wanted: Iterable[Wanted]) -> Ciphers:
    """The ciphers to seal with, with keys made for those who had none; None for people who were erased."""
    ordered = sorted(set(wanted), key=lambda each: (each.org.bytes, each.person, each.kind, each.ends_on))
    keys, found = await _find(tx, keyring, ordered)
    if not (missing := [each for each in ordered if each not in found]):
        return found
    made = await _make(tx, keyring, keys, missing)
    return found | (made or (await _find(tx, keyring, missing))[1])


async def read_ciphers(
    tx: Transaction, keyring: Keyring, held: Iterable[Held]
) -> dict[Held, PersonCipher | Gone]:
    """The ciphers to open with, or why there is none."""
    ordered = sorted(set(held), key=lambda each: (each.org.bytes, each.person))
    found: dict[Held, PersonCipher | Gone] = dict.fromkeys(ordered, Gone.ERASED)
    if not ordered:
        return found
    orgs, people, periods = (list(column) for column in zip(*ordered, strict=True))
    for row in await tx.fetch(OPEN, list(range(len(ordered))), orgs, people, periods):
        each = ordered[row["place"]]
        if row["wrapped_key"] is None:
            continue
        if each.period is not None and row["id"] is None:
            found[each] = Gone.AGED_OUT
        else:
            key = keyring.open(row["wrapped_key"], place_of((each.org, each.person)))
            found[each] = _cipher(key, row["id"], row["secret"])
    return found


async def _find(tx: Transaction, keyring: Keyring, ordered: Sequence[Wanted]) -> tuple[_Keys, Ciphers]:
    """People's own keys; and the ciphers of those who have what they need, None of those who were erased."""
    keys: _Keys = {}
    found: Ciphers = {}
    if not ordered:
        return keys, found
    orgs, people, kinds, ends = (list(column) for column in zip(*ordered, strict=True))
    for row in await tx.fetch(FIND, list(range(len(ordered))), orgs, people, kinds, ends):
        each = ordered[row["place"]]
        if row["wrapped_key"] is None:
            found[each] = None
            continue
        if each.of not in keys:
            keys[each.of] = keyring.open(row["wrapped_key"], place_of(each.of))
        if not each.kind or row["id"] is not None:
            found[each] = _cipher(keys[each.of], row["id"], row["secret"])
    return keys, found


async def _make(tx: Transaction, keyring: Keyring, keys: _Keys, missing: Sequence[Wanted]) -> Ciphers | None:
    """Make what is not there, of people and of weeks; None where another process made some of it meanwhile."""
    people = sorted({each.of for each in missing}.difference(keys), key=place_of)
    fresh = {person: os.urandom(KEY_BYTES) for person in people}
    weeks = {each: (_period_id(each.ends_on), os.urandom(KEY_BYTES)) for each in missing if each.kind}
    made = await tx.fetchval(
        MAKE,
        [org for org, _ in people],
        [person for _, person in people],
        [keyring.seal(fresh[person], place_of(person)) for person in people],
        [each.org for each in weeks],
        [id_ for id_, _ in weeks.values()],
        [each.person for each in weeks],
        [each.kind for each in weeks],
        [each.ends_on for each in weeks],
        [secret for _, secret in weeks.values()],
    )
    if made < len(people) + len(weeks):
        return None
    own = {**keys, **fresh}
    return {each: _cipher(own[each.of], *weeks.get(each, (None, None))) for each in missing}


def _cipher(key: bytes, period: UUID | None, secret: bytes | None) -> PersonCipher:
    if period is None or secret is None:
        return PersonCipher(key)
    return PersonCipher.of_period(key, period, secret)


def _period_id(ends_on: date) -> UUID:
    """One that sorts by the week's end, and that no other week's key has had, also not one that is gone."""
    return derived_id(datetime.combine(ends_on, time(), UTC), os.urandom(KEY_BYTES).hex())


def place_of(person: Person) -> bytes:
    """What a person's key is bound to."""
    return person[0].bytes + person[1].encode()


SEALED: Final = SealedColumn(
    "person_keys",
    "wrapped_key",
    ("organization_id", "person"),
    lambda row: place_of((row["organization_id"], row["person"])),
)
