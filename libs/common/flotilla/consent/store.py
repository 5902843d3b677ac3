"""What services keep of what others tell of consent, in three tables that each makes in its migrations:

    marketing_consents (organization_id, id, sequence, contact_id, channel, state, basis, said_at)
    contact_regions (organization_id, contact_id, region, sequence)
    consent_rules (organization_id, …, region, strict, known, sequence)

Each of the first functions is what a projection of the service calls; campaign, which decides rules, writes the third
table itself.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.campaign import ConsentRuleChanged
from flotilla.events.crm import ConsentChanged, ContactLocated
from flotilla.store.postgres import Row, Transaction

MARKETING: Final = "marketing"
"""The purpose that counts here; what people said of others is for others to know."""

KEEP_CONSENTS: Final = """
INSERT INTO marketing_consents AS kept (organization_id, id, sequence, contact_id, channel, state, basis, said_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[])
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = excluded.sequence, contact_id = excluded.contact_id,
    channel = excluded.channel, state = excluded.state, basis = excluded.basis, said_at = excluded.said_at
WHERE kept.sequence < excluded.sequence"""
KEEP_REGIONS: Final = """
INSERT INTO contact_regions AS kept (organization_id, contact_id, region, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (organization_id, contact_id) DO UPDATE SET region = excluded.region, sequence = excluded.sequence
WHERE kept.sequence < excluded.sequence"""
KEEP_RULES: Final = """
INSERT INTO consent_rules AS kept (organization_id, region, strict, known, sequence)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::boolean[], $5::bigint[])
ON CONFLICT (organization_id) DO UPDATE SET region = excluded.region, strict = excluded.strict,
    known = excluded.known, sequence = excluded.sequence
WHERE kept.sequence < excluded.sequence"""

ABOUT: Final = """
SELECT t.org, t.contact, r.region AS lives_in, c.id, c.sequence, c.channel, c.state, c.basis, c.said_at
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
LEFT JOIN contact_regions r ON r.organization_id = t.org AND r.contact_id = t.contact
LEFT JOIN marketing_consents c ON c.organization_id = t.org AND c.contact_id = t.contact"""
RULES_OF: Final = """
SELECT organization_id, region, strict, known FROM consent_rules WHERE organization_id = ANY($1::uuid[])"""


async def keep_consents(tx: Transaction, batch: Sequence[Received[ConsentChanged]]) -> None:
    """What people said about marketing, where it is newer."""
    said = [event for event in batch if event.data.purpose == MARKETING]
    if said:
        await tx.execute(
            KEEP_CONSENTS,
            [event.org for event in said],
            [event.data.consent_id for event in said],
            [event.sequence for event in said],
            [event.data.contact_id for event in said],
            [event.data.channel for event in said],
            [event.data.state for event in said],
            [event.data.legal_basis for event in said],
            [event.data.said_at for event in said],
        )


async def keep_regions(tx: Transaction, batch: Sequence[Received[ContactLocated]]) -> None:
    """Where people live, where it is newer."""
    await tx.execute(
        KEEP_REGIONS,
        [event.org for event in batch],
        [event.data.contact_id for event in batch],
        [event.data.region for event in batch],
        [event.sequence for event in batch],
    )


async def keep_rules(tx: Transaction, batch: Sequence[Received[ConsentRuleChanged]]) -> None:
    """By which rules organizations go, where it is newer."""
    await tx.execute(
        KEEP_RULES,
        [event.org for event in batch],
        [event.data.region for event in batch],
        [event.data.strict for event in batch],
        [event.data.known for event in batch],
        [event.sequence for event in batch],
    )


async def about(tx: Transaction, people: Sequence[tuple[UUID, UUID]]) -> list[Row]:
    """What is kept of these, of (organization, contact): a row for each consent, one without any for who has none."""
    return await tx.fetch(ABOUT, [org for org, _ in people], [contact for _, contact in people])


async def rules_of(tx: Transaction, orgs: Sequence[UUID]) -> list[Row]:
    """What organizations have decided; nothing of those that have not."""
    return await tx.fetch(RULES_OF, list(orgs))
