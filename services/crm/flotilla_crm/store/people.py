"""People behind channel identities, and the people who work here."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.auth import User
from flotilla.store.postgres import Row, Transaction

from flotilla_crm.domain.normal import folded
from flotilla_crm.domain.people import Introduction, Reach, Stranger

# Sorted, so that two processes with the same strangers wait for each other in one order. An identity whose contact
# is gone is claimed by what was written since, never by what comes late.
CLAIM_IDENTITIES: Final = """
WITH t AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                         $8::timestamptz[]) AS t (org, id, contact, channel, account, address, name, wrote_at)
), made AS (
    INSERT INTO channel_identities (organization_id, id, contact_id, channel, account_id, address, name)
    SELECT org, id, contact, channel, account, address, name FROM t ORDER BY org, id
    ON CONFLICT (organization_id, id) DO NOTHING
    RETURNING organization_id, id, sequence
), free AS MATERIALIZED (
    SELECT t.* FROM t JOIN channel_identities i ON i.organization_id = t.org AND i.id = t.id
    WHERE i.contact_id IS NULL AND i.freed_at < t.wrote_at ORDER BY t.org, t.id FOR UPDATE OF i
), again AS (
    UPDATE channel_identities i SET sequence = i.sequence + 1, contact_id = free.contact, freed_at = NULL,
                                    address = free.address, name = free.name
    FROM free WHERE i.organization_id = free.org AND i.id = free.id AND i.contact_id IS NULL
    RETURNING i.organization_id, i.id, i.sequence
)
SELECT * FROM made UNION ALL SELECT * FROM again"""

# Two strangers with one phone number, in two processes: the second looks the number up when the first has
# committed its contact.
LOCK_REACHES: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(reach, 0))
FROM (SELECT DISTINCT reach FROM unnest($1::text[]) AS reach ORDER BY reach) AS sorted"""

# Held, so that who is found is still there when the identity is led to them.
FIND_BY_REACH: Final = """
SELECT * FROM (
    SELECT r.org, r.email, r.phone, c.id
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r (org, email, phone)
    JOIN contacts c ON c.organization_id = r.org AND c.email = r.email FOR KEY SHARE OF c) AS by_email
UNION ALL
SELECT * FROM (
    SELECT r.org, r.email, r.phone, c.id
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r (org, email, phone)
    JOIN contacts c ON c.organization_id = r.org AND c.phone = r.phone FOR KEY SHARE OF c) AS by_phone"""

INSERT_CONTACTS: Final = """
INSERT INTO contacts (organization_id, id, name, search_name, email, phone, language, source)
SELECT *, 'channel'
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])"""

LINK_IDENTITIES: Final = """
UPDATE channel_identities i SET contact_id = t.contact
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (org, id, contact)
WHERE i.organization_id = t.org AND i.id = t.id"""

UNKNOWN_IDENTITIES: Final = """
SELECT t.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
WHERE NOT EXISTS (SELECT FROM channel_identities i WHERE i.organization_id = t.org AND i.id = t.id)"""

WHO_THEY_ARE: Final = """
SELECT i.organization_id, i.id, c.id AS contact_id, c.name, c.company_id
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN channel_identities i ON i.organization_id = t.org AND i.id = t.id
JOIN contacts c ON c.organization_id = i.organization_id AND c.id = i.contact_id"""

KEEP_USERS: Final = """
INSERT INTO users (organization_id, id, sequence, role, active)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[])
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = excluded.sequence, role = excluded.role, active = excluded.active
WHERE users.sequence < excluded.sequence"""


async def claim(tx: Transaction, strangers: Sequence[Stranger]) -> list[Stranger]:
    """Those whom nobody had claimed: in this transaction they are ours, and nobody else's ever after."""
    rows = await tx.fetch(
        CLAIM_IDENTITIES,
        [each.org for each in strangers],
        [each.identity_id for each in strangers],
        [each.proposed_id for each in strangers],
        [each.channel for each in strangers],
        [each.account_id for each in strangers],
        [each.address for each in strangers],
        [each.name for each in strangers],
        [each.wrote_at for each in strangers],
    )
    ours = {(row["organization_id"], row["id"]): row["sequence"] for row in rows}
    return [
        replace(each, sequence=ours[each.org, each.identity_id])
        for each in strangers
        if (each.org, each.identity_id) in ours
    ]


async def contacts_reached(tx: Transaction, wanted: Iterable[Reach]) -> list[tuple[Reach, UUID]]:
    """The contacts that phone numbers and e-mail addresses lead to, held against others until the commit."""
    reaches = list(dict.fromkeys(wanted))
    if not reaches:
        return []
    await tx.execute(LOCK_REACHES, [f"{each.org} {each.email or each.phone}" for each in reaches])
    rows = await tx.fetch(
        FIND_BY_REACH,
        [each.org for each in reaches],
        [each.email for each in reaches],
        [each.phone for each in reaches],
    )
    return [(Reach(row["org"], row["email"], row["phone"]), row["id"]) for row in rows]


async def keep_introductions(tx: Transaction, introductions: Sequence[Introduction]) -> None:
    """Write the new contacts, and lead the other identities to theirs."""
    new = [each.stranger for each in introductions if each.new]
    if new:
        await tx.execute(
            INSERT_CONTACTS,
            [each.org for each in new],
            [each.proposed_id for each in new],
            [each.name for each in new],
            [folded(each.name or "") for each in new],
            [each.email for each in new],
            [each.phone for each in new],
            [each.language for each in new],
        )
    linked = [each for each in introductions if not each.new]
    if linked:
        await tx.execute(
            LINK_IDENTITIES,
            [each.stranger.org for each in linked],
            [each.stranger.identity_id for each in linked],
            [each.contact_id for each in linked],
        )


async def unknown_identities(tx: Transaction, identities: Sequence[tuple[UUID, UUID]]) -> list[UUID]:
    """Which of the (organization, identity) nobody has introduced yet."""
    orgs, ids = zip(*identities, strict=True)
    return [row["id"] for row in await tx.fetch(UNKNOWN_IDENTITIES, list(orgs), list(ids))]


async def who_they_are(
    tx: Transaction, identities: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Row]:
    """The contact, its name and company behind each (organization, identity) that is known."""
    orgs, ids = zip(*identities, strict=True)
    rows = await tx.fetch(WHO_THEY_ARE, list(orgs), list(ids))
    return {(row["organization_id"], row["id"]): row for row in rows}


async def keep_users(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Apply the states that are newer."""
    await tx.execute(
        KEEP_USERS,
        [event.org for event in batch],
        [event.data.user_id for event in batch],
        [event.sequence for event in batch],
        [event.data.role for event in batch],
        [event.data.state == "active" for event in batch],
    )
