"""Campaigns and their people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_campaign.domain.campaigns import Campaign, CampaignState

COLUMNS: Final = """organization_id, id, sequence, name, goal, state, segment_id, sequence_id, is_bulk, starts_at,
people_per_minute, started_at, finished_at, created_at, updated_at"""

INSERT: Final = f"""
INSERT INTO campaigns (organization_id, id, name, goal, segment_id, sequence_id, is_bulk, starts_at, people_per_minute)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {COLUMNS}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE campaigns SET sequence = sequence + 1, updated_at = now(), name = $3, goal = $4, state = $5, segment_id = $6,
                     sequence_id = $7, starts_at = $8, people_per_minute = $9, started_at = $10, finished_at = $11
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608
DELETE: Final = "DELETE FROM campaigns WHERE organization_id = $1 AND id = $2"
READ: Final = f"SELECT {COLUMNS} FROM campaigns WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM campaigns"  # noqa: S608
PAUSED: Final = """
SELECT c.organization_id, c.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN campaigns c ON c.organization_id = t.org AND c.id = t.id
WHERE c.state = 'paused' ORDER BY c.organization_id, c.id"""
HOLD_PAUSED: Final = PAUSED + " FOR SHARE OF c"

ADD_PEOPLE: Final = """
INSERT INTO campaign_people (organization_id, campaign_id, contact_id, conversation_id, fields, time_zone)
SELECT $1, $2, contact_id, conversation_id, fields, time_zone
FROM jsonb_to_recordset($3) AS t (contact_id uuid, conversation_id uuid, fields jsonb, time_zone text)
ORDER BY contact_id
ON CONFLICT (organization_id, campaign_id, contact_id) DO UPDATE
SET conversation_id = excluded.conversation_id, fields = excluded.fields, time_zone = excluded.time_zone"""
ADD_SEGMENT: Final = """
INSERT INTO campaign_people (organization_id, campaign_id, contact_id)
SELECT organization_id, $2, contact_id FROM segment_members
WHERE organization_id = $1 AND segment_id = $3 AND inside ON CONFLICT DO NOTHING"""
REMOVE_PERSON: Final = """
DELETE FROM campaign_people WHERE organization_id = $1 AND campaign_id = $2 AND contact_id = $3 RETURNING contact_id"""
PEOPLE: Final = "SELECT contact_id, conversation_id, time_zone, state, reason FROM campaign_people"
COUNT: Final = "SELECT count(*) FROM campaign_people WHERE organization_id = $1 AND campaign_id = $2"
WAITING: Final = """
SELECT contact_id, conversation_id, fields, time_zone FROM campaign_people
WHERE organization_id = $1 AND campaign_id = $2 AND state = 'waiting' ORDER BY contact_id LIMIT $3"""
TAKEN: Final = """
UPDATE campaign_people p SET state = CASE WHEN t.reason IS NULL THEN 'enrolled' ELSE 'refused' END, reason = t.reason,
                             fields = '{}'
FROM unnest($3::uuid[], $4::text[]) AS t (contact_id, reason)
WHERE p.organization_id = $1 AND p.campaign_id = $2 AND p.contact_id = t.contact_id"""
BUSY: Final = """
SELECT EXISTS (SELECT FROM campaign_people WHERE organization_id = $1 AND campaign_id = $2 AND state = 'waiting')
    OR EXISTS (SELECT FROM enrolments WHERE organization_id = $1 AND campaign_id = $2 AND ended_at IS NULL)"""
STANDS: Final = """
SELECT state, reason, count(*) AS people FROM campaign_people WHERE organization_id = $1 AND campaign_id = $2
GROUP BY state, reason ORDER BY state, reason"""


async def add(tx: Transaction, campaign: Campaign) -> Campaign:
    """Write a new one."""
    names = ("name", "goal", "segment_id", "sequence_id", "is_bulk", "starts_at", "people_per_minute")
    values = [getattr(campaign, name) for name in names]
    row = await tx.fetchrow(INSERT, campaign.organization_id, campaign.id, *values)
    assert row is not None
    return _campaign(row)


async def save(tx: Transaction, campaign: Campaign) -> Campaign:
    """Write how it stands: the result has the next `sequence`."""
    names = (
        "name",
        "goal",
        "state",
        "segment_id",
        "sequence_id",
        "starts_at",
        "people_per_minute",
        "started_at",
        "finished_at",
    )
    values = [getattr(campaign, name) for name in names]
    row = await tx.fetchrow(UPDATE, campaign.organization_id, campaign.id, *values)
    assert row is not None
    return _campaign(row)


async def delete(tx: Transaction, campaign: Campaign) -> None:
    """It and its list of people."""
    await tx.execute(DELETE, campaign.organization_id, campaign.id)


async def read(tx: Transaction, org: UUID, id_: UUID, *, lock: bool = False) -> Campaign | None:
    """One; held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, id_)
    return None if row is None else _campaign(row)


async def listing(
    tx: Transaction,
    org: UUID,
    states: Sequence[str] | None,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Campaign]:
    """Those in any of these states, or all, in this order, after the one with the key `after`."""
    where = Where(org).equal({"state": list(states) if states else None})
    return [_campaign(row) for row in await order.read(tx, LIST, where, after, limit)]


async def paused(tx: Transaction, keys: Iterable[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Those of these (organization, campaign) of which no step may begin. Who resumes one sees every step that was held
    back for this."""
    found = sorted(set(keys))
    # The second time held: whoever is resuming one has committed then, or waits for this to end.
    for sql in (PAUSED, HOLD_PAUSED):
        if found:
            rows = await tx.fetch(sql, [org for org, _ in found], [id_ for _, id_ in found])
            found = [(row["organization_id"], row["id"]) for row in rows]
    return set(found)


async def add_people(tx: Transaction, campaign: Campaign, people: Sequence[Mapping[str, Any]]) -> None:
    """Put people on its list; who is on it already is written anew."""
    await tx.execute(ADD_PEOPLE, campaign.organization_id, campaign.id, list(people))


async def add_segment(tx: Transaction, campaign: Campaign) -> None:
    """Put who is in its segment now on its list."""
    await tx.execute(ADD_SEGMENT, campaign.organization_id, campaign.id, campaign.segment_id)


async def remove_person(tx: Transaction, campaign: Campaign, contact_id: UUID) -> bool:
    """Take somebody off its list; whether they were on it."""
    found = await tx.fetchval(REMOVE_PERSON, campaign.organization_id, campaign.id, contact_id)
    return found is not None


async def people(
    tx: Transaction, campaign: Campaign, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """Its list in this order, after who has the key `after`."""
    where = Where(campaign.organization_id).equal({"campaign_id": campaign.id})
    return await order.read(tx, PEOPLE, where, after, limit)


async def count(tx: Transaction, campaign: Campaign) -> int:
    """How many are on its list."""
    return int(await tx.fetchval(COUNT, campaign.organization_id, campaign.id))


async def waiting(tx: Transaction, campaign: Campaign, limit: int) -> list[Row]:
    """Some who are still to be enrolled; the campaign is held, so nobody else takes them."""
    return await tx.fetch(WAITING, campaign.organization_id, campaign.id, limit)


async def taken(tx: Transaction, campaign: Campaign, refusals: Mapping[UUID, str | None]) -> None:
    """They were enrolled, or why not."""
    key = (campaign.organization_id, campaign.id)
    await tx.execute(TAKEN, *key, list(refusals), list(refusals.values()))


async def busy(tx: Transaction, campaign: Campaign) -> bool:
    """Whether somebody is still to be enrolled, or on their way."""
    return bool(await tx.fetchval(BUSY, campaign.organization_id, campaign.id))


async def stands(tx: Transaction, campaign: Campaign) -> list[Row]:
    """How many of its people were enrolled or refused, and why."""
    return await tx.fetch(STANDS, campaign.organization_id, campaign.id)


def _campaign(row: Row) -> Campaign:
    return Campaign(**{**dict(row), "state": CampaignState(row["state"])})
