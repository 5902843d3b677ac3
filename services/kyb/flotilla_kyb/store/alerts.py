"""Alerts, and whether registers answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

ALERT_COLUMNS: Final = (
    "id, sequence, counterparty_id, check_id, type, severity, detail, state, raised_at, acknowledged_at,"
    " acknowledged_by"
)

RAISE: Final = f"""
INSERT INTO alerts (organization_id, id, counterparty_id, check_id, type, severity, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {ALERT_COLUMNS}"""  # noqa: S608
READ: Final = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE organization_id = $1 AND id = $2"  # noqa: S608
ACKNOWLEDGE: Final = f"""
UPDATE alerts SET sequence = sequence + 1, state = 'acknowledged', acknowledged_at = now(), acknowledged_by = $3
WHERE organization_id = $1 AND id = $2 AND state = 'open' RETURNING {ALERT_COLUMNS}"""  # noqa: S608

# A row where it had not failed before: that is when it is told.
FAIL: Final = """
INSERT INTO sources (organization_id, id, source, scope, state, reason) VALUES ($1, $2, $3, $4, 'down', $5)
ON CONFLICT (organization_id, source, scope) DO UPDATE
SET sequence = sources.sequence + 1, state = 'down', reason = excluded.reason, since = now()
WHERE sources.state = 'up' RETURNING id, sequence, source, scope, reason, since"""
RECOVER: Final = """
UPDATE sources SET sequence = sequence + 1, state = 'up', reason = NULL, since = now()
WHERE organization_id = $1 AND source = $2 AND scope = ANY($3) AND state = 'down'
RETURNING id, sequence, source, scope, reason, since"""
SOURCES: Final = """
SELECT id, source, scope, state, reason, since FROM sources WHERE organization_id = $1
ORDER BY source, scope LIMIT 200"""


async def list_alerts(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    select = f"SELECT {ALERT_COLUMNS} FROM alerts"  # noqa: S608
    return await order.read(tx, select, Where(org).equal(filters), after, limit)
