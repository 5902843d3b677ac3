"""People as the archive knows them: which identities are whose, and the destruction of their keys, for good."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_analytics.store.keys import Person, place_of

LOCK_CONTACTS: Final = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(organization_id || contact, 0) AS key
    FROM unnest($1::uuid[], $2::text[]) AS t (organization_id, contact) ORDER BY key) AS keys"""

UPSERT_ALIASES: Final = """
INSERT INTO person_aliases (organization_id, person, contact, sequence)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
ON CONFLICT (organization_id, person) DO UPDATE SET contact = excluded.contact, sequence = excluded.sequence
WHERE person_aliases.sequence < excluded.sequence"""

DESTROY_KEYS_OF_ERASED: Final = """
INSERT INTO person_keys (organization_id, person, destroyed_at)
SELECT organization_id, alias.person, now()
FROM unnest($1::uuid[], $2::text[]) AS t (organization_id, contact)
JOIN person_keys AS erased USING (organization_id)
JOIN person_aliases AS alias USING (organization_id, contact)
WHERE erased.person = t.contact AND erased.destroyed_at IS NOT NULL
ORDER BY organization_id, alias.person
ON CONFLICT (organization_id, person) DO UPDATE
SET wrapped_key = NULL, destroyed_at = coalesce(person_keys.destroyed_at, now())"""

READ_ERASED: Final = """
SELECT organization_id, person
FROM unnest($1::uuid[], $2::text[]) AS asked (organization_id, person)
JOIN person_keys USING (organization_id, person) WHERE destroyed_at IS NOT NULL"""

READ_CONTACT: Final = "SELECT contact FROM person_aliases WHERE organization_id = $1 AND person = $2"

DESTROY_KEYS: Final = """
INSERT INTO person_keys (organization_id, person, destroyed_at)
SELECT $1, person, now()
FROM (SELECT $2 AS person UNION SELECT person FROM person_aliases WHERE organization_id = $1 AND contact = $2) AS p
ORDER BY person
ON CONFLICT (organization_id, person) DO UPDATE
SET wrapped_key = NULL, destroyed_at = coalesce(person_keys.destroyed_at, now())
RETURNING person"""

DESTROY_ALL: Final = """
UPDATE person_keys SET wrapped_key = NULL, destroyed_at = now() WHERE organization_id = $1 AND destroyed_at IS NULL"""

# Sealed under the key of a thing (a task, a deal) because no person was named; but the conversation was.
READ_THINGS: Final = """
SELECT DISTINCT person FROM archive
WHERE organization_id = $1 AND type = ANY($2::text[]) AND sealed IS NOT NULL
  AND data ->> 'conversation_id' = ANY($3::text[])
  AND person !~ '^(contact|identity|user):' AND person <> 'organization'
ORDER BY person"""


async def read_erased(tx: Transaction, people: Iterable[Person]) -> list[Person]:
    """Which of these people were erased."""
    rows = await tx.fetch(READ_ERASED, *_columns(sorted(people)))
    return [(row["organization_id"], row["person"]) for row in rows]


async def read_things(
    tx: Transaction, org: UUID, types: Sequence[str], conversations: Iterable[UUID]
) -> list[str]:
    """References of things noted about these conversations, whose keys seal what was said of them."""
    rows = await tx.fetch(READ_THINGS, org, list(types), [str(each) for each in conversations])
    return [row["person"] for row in rows]


async def link_identities(tx: Transaction, links: Mapping[Person, tuple[str, int]]) -> None:
    """Keep which contact an identity belongs to, which user an invitation: {(org, identity): (contact, sequence)}.

    An identity of somebody who was erased before loses its key here. The lock is shared with `destroy_keys`:
    without it each could miss the other's uncommitted row.
    """
    ordered = sorted(links, key=place_of)
    orgs, identities = _columns(ordered)
    contacts = [links[person][0] for person in ordered]
    await tx.execute(LOCK_CONTACTS, orgs, contacts)
    await tx.execute(UPSERT_ALIASES, orgs, identities, contacts, [links[person][1] for person in ordered])
    await tx.execute(DESTROY_KEYS_OF_ERASED, orgs, contacts)


async def destroy_keys(tx: Transaction, org: UUID, person: str) -> list[str]:
    """Destroy the keys of a person: the contact's and those of all their identities; whose they were.

    `person` may be an identity: the contact it belongs to goes with it. Safe to repeat.
    """
    contact = await tx.fetchval(READ_CONTACT, org, person) or person
    await tx.execute(LOCK_CONTACTS, [org], [contact])
    return [row["person"] for row in await tx.fetch(DESTROY_KEYS, org, contact)]


async def destroy_all_keys(tx: Transaction, org: UUID) -> int:
    """Destroy the keys of everybody of an organization, and its own: how many there were."""
    return int((await tx.execute(DESTROY_ALL, org)).split()[-1])


def _columns(people: Sequence[Person]) -> tuple[list[UUID], list[str]]:
    return [org for org, _ in people], [person for _, person in people]
