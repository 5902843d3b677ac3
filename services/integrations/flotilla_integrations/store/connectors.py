"""Rows of what connected shops, telephones and CRMs told."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

ADD_DELIVERY: Final = "INSERT INTO hook_deliveries (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id"
FORGET_DELIVERIES: Final = "DELETE FROM hook_deliveries WHERE received_at < now() - interval '3 days'"

ORDER_STATE: Final = "SELECT state FROM commerce_orders WHERE organization_id = $1 AND id = $2 FOR UPDATE"
# What is older by the shop's clock came too late, and what says the same is no change.
KEEP_ORDER: Final = """
INSERT INTO commerce_orders AS o (organization_id, id, account_id, external_id, state, digest, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (organization_id, id) DO UPDATE
SET state = excluded.state, digest = excluded.digest, updated_at = excluded.updated_at, sequence = o.sequence + 1
WHERE excluded.updated_at >= o.updated_at AND excluded.digest <> o.digest AND o.state <> 'deleted'
RETURNING sequence"""
DELETE_ORDER: Final = """
UPDATE commerce_orders SET state = 'deleted', sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state <> 'deleted' RETURNING sequence, updated_at"""

ADD_CALL: Final = """
INSERT INTO voice_calls (organization_id, id, account_id, direction, state, contact_id, identity_id, number, assistant)
VALUES ($1, $2, $3, 'outbound', 'requested', $4, $5, $6, $7) RETURNING *"""
CALL: Final = "SELECT * FROM voice_calls WHERE organization_id = $1 AND id = $2"
LOCK_CALL: Final = CALL + " FOR UPDATE"
LOCK_CALL_OF_VENDOR: Final = """
SELECT * FROM voice_calls WHERE organization_id = $1 AND account_id = $2 AND external_id = $3 FOR UPDATE"""
CALLS: Final = "SELECT * FROM voice_calls"
PLACED: Final = """
UPDATE voice_calls SET state = CASE WHEN state = 'requested' THEN 'placed' ELSE state END, external_id = $3,
    sequence = sequence + 1
WHERE organization_id = $1 AND id = $2"""
CALL_OVER: Final = """
INSERT INTO voice_calls AS c (organization_id, id, account_id, external_id, direction, state, identity_id, number,
                              ended_reason, started_at, ended_at, duration_seconds, cost_usd, summary, transcript,
                              recording_url)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (organization_id, id) DO UPDATE
SET external_id = coalesce(excluded.external_id, c.external_id), state = excluded.state,
    ended_reason = excluded.ended_reason, started_at = excluded.started_at, ended_at = excluded.ended_at,
    duration_seconds = excluded.duration_seconds, cost_usd = excluded.cost_usd, summary = excluded.summary,
    transcript = excluded.transcript, recording_url = excluded.recording_url, sequence = c.sequence + 1
WHERE c.state IN ('requested', 'placed') OR (c.state = 'unconfirmed' AND excluded.state = 'completed')
RETURNING *"""

RECORDS: Final = """
SELECT * FROM external_records WHERE organization_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE"""
KEEP_RECORDS: Final = """
INSERT INTO external_records AS r (organization_id, id, account_id, object_type, external_id, digests, deleted,
                                   updated_at)
SELECT $1, id, $2, type, external, digests::jsonb, deleted, updated
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[])
     AS t (id, type, external, digests, deleted, updated)
ORDER BY id
ON CONFLICT (organization_id, id) DO UPDATE
SET digests = excluded.digests, deleted = excluded.deleted, updated_at = excluded.updated_at,
    sequence = r.sequence + 1
WHERE excluded.updated_at >= r.updated_at
  AND (excluded.digests IS DISTINCT FROM r.digests OR excluded.deleted <> r.deleted)
RETURNING id, sequence"""


async def calls(
    tx: Transaction,
    org: UUID,
    contact_id: UUID | None,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """`limit` calls, or those with one contact, in this order, after the one with the key `after`."""
    return await order.read(tx, CALLS, Where(org).equal({"contact_id": contact_id}), after, limit)
