"""What a transaction leaves in the bus's tables as it commits: one statement for all of a kind.

In one order for all: two that set or cancel the same timers do not wait for each other in a circle.
"""

from typing import Final

INSERT_OUTBOX: Final = """
INSERT INTO outbox (id, type, body, holder)
SELECT id, type, body, $4 FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS t (id, type, body)
ON CONFLICT (id) DO NOTHING"""

UPSERT_JOBS: Final = """
INSERT INTO jobs (id, organization_id, kind, key, payload, cause, due_at)
SELECT id, org, kind, key, payload::jsonb, cause::jsonb, coalesce(due_at, now())
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
     AS t (id, org, kind, key, payload, cause, due_at)
ORDER BY kind, key
ON CONFLICT (kind, key) DO UPDATE
SET due_at = excluded.due_at, payload = excluded.payload, cause = excluded.cause
WHERE jobs.leased_until IS NULL AND $8"""

DELETE_JOBS: Final = """
DELETE FROM jobs USING (
    SELECT j.id FROM unnest($1::text[], $2::text[]) AS t (kind, key) JOIN jobs j ON j.kind = t.kind AND j.key = t.key
    ORDER BY j.kind, j.key FOR UPDATE OF j) AS held
WHERE jobs.id = held.id"""

ARRIVED: Final = """
UPDATE parked_events SET state = 'waiting', due_at = now() WHERE waiting_for = ANY($1)"""
