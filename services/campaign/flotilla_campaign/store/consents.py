"""What people said about marketing, and by which rule organizations go."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_campaign.domain.consent import Said

KEEP: Final = """
INSERT INTO marketing_consents AS kept (organization_id, id, sequence, contact_id, channel, state, basis, said_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[])
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = excluded.sequence, contact_id = excluded.contact_id,
    channel = excluded.channel, state = excluded.state, basis = excluded.basis, said_at = excluded.said_at
WHERE kept.sequence < excluded.sequence"""
OF: Final = """
SELECT c.organization_id, c.contact_id, c.channel, c.state, c.basis, c.said_at
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
JOIN marketing_consents c ON c.organization_id = t.org AND c.contact_id = t.contact"""
RULES_OF: Final = """
SELECT organization_id, region, strict, known, reason, sequence FROM consent_rules WHERE organization_id = ANY($1)"""
SET_RULE: Final = """
INSERT INTO consent_rules AS kept (organization_id, id, region, strict, known, reason) VALUES ($1, $1, $2, $3, $4, $5)
ON CONFLICT (organization_id, id) DO UPDATE SET region = excluded.region, strict = excluded.strict,
    known = excluded.known, reason = excluded.reason, sequence = kept.sequence + 1
RETURNING organization_id, region, strict, known, reason, sequence"""

Key = tuple[UUID, UUID]
"""An organization and a contact."""


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


async def keep(tx: Transaction, consents: Sequence[tuple[Any, ...]]) -> None:
    """Newer states: organization, consent, sequence, contact, channel, state, basis, said at."""
    await tx.execute(KEEP, *(list(column) for column in zip(*consents, strict=True)))


async def of(tx: Transaction, keys: Iterable[Key]) -> dict[Key, list[Said]]:
    """What these people said."""
    wanted = sorted(set(keys))
    found: dict[Key, list[Said]] = defaultdict(list)
    for row in await tx.fetch(OF, [org for org, _ in wanted], [contact for _, contact in wanted]):
        said = Said(row["channel"], row["state"], row["basis"], row["said_at"])
        found[row["organization_id"], row["contact_id"]].append(said)
    return found


async def rules(tx: Transaction, orgs: Iterable[UUID]) -> dict[UUID, OwnRule]:
    """What organizations have decided; nothing of those that have not."""
    return {row["organization_id"]: _rule(row) for row in await tx.fetch(RULES_OF, sorted(set(orgs)))}


async def set_rule(tx: Transaction, org: UUID, wanted: OwnRule) -> OwnRule:
    """Decide it."""
    row = await tx.fetchrow(SET_RULE, org, wanted.region, wanted.strict, wanted.known, wanted.reason)
    assert row is not None
    return _rule(row)


def _rule(row: Row) -> OwnRule:
    return OwnRule(row["region"], row["strict"], row["known"], row["reason"], row["sequence"])
