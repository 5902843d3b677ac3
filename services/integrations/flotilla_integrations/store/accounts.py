"""Rows of accounts, and which organization's an account is."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_integrations.domain import Account, AccountState

CHANGED: Final = "accounts"
"""What the processes of this service are notified on, with the account's id."""

ORGANIZATION_OF: Final = "SELECT organization_id FROM hook_routes WHERE account_id = $1"
ADD_ROUTE: Final = "INSERT INTO hook_routes (account_id, organization_id) VALUES ($1, $2)"

TAKE_UNCHECKED: Final = """
UPDATE hook_routes SET checked_at = now() WHERE account_id IN (
    SELECT account_id FROM hook_routes WHERE checked_at < now() - $1::interval ORDER BY checked_at LIMIT $2)
RETURNING account_id"""

ADD: Final = """
INSERT INTO accounts (organization_id, id, connector, name, state, settings, sealed, user_id)
VALUES ($1, $2, $3, $4, 'connecting', $5, $6, $7) RETURNING *"""

READ: Final = "SELECT * FROM accounts WHERE organization_id = $1 AND id = $2"
LOCK: Final = "SELECT * FROM accounts WHERE organization_id = $1 AND id = $2 FOR UPDATE"

LIST: Final = "SELECT * FROM accounts"

CHANGE: Final = """
UPDATE accounts SET name = $3, state = $4, settings = $5, sealed = $6, sequence = sequence + 1,
    reason = CASE WHEN $4 = 'connecting' THEN NULL ELSE reason END
WHERE organization_id = $1 AND id = $2 RETURNING *"""

# Only where nothing else has changed it meanwhile.
CONNECTED: Final = """
UPDATE accounts SET state = 'connected', reason = NULL, external_id = $4, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND sequence = $3 RETURNING *"""
CONNECT_FAILED: Final = """
UPDATE accounts SET state = 'failed', reason = $4, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND sequence = $3 RETURNING *"""

REFUSED: Final = """
UPDATE accounts SET state = 'failed', reason = $3, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'connected' RETURNING *"""
RECOVERED: Final = """
UPDATE accounts SET state = 'connected', reason = NULL, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'failed' AND external_id IS NOT DISTINCT FROM $3 RETURNING *"""

DISCONNECT: Final = """
UPDATE accounts SET state = 'disconnected', reason = NULL, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state <> 'disconnected' RETURNING *"""
FORGET_CREDENTIALS: Final = """
UPDATE accounts SET sealed = NULL WHERE organization_id = $1 AND id = $2 AND sequence = $3"""

_FIELDS: Final = tuple(Account.__slots__)


def account_of(row: Row) -> Account:
    """The account of a row."""
    return Account(**{**{name: row[name] for name in _FIELDS}, "state": AccountState(row["state"])})


async def one(tx: Transaction, sql: str, *arguments: Any) -> Account | None:
    """The account that a statement reads or writes; None where it finds none."""
    row = await tx.fetchrow(sql, *arguments)
    return account_of(row) if row else None


async def listing(
    tx: Transaction, org: UUID, user_id: UUID | None, order: Order, after: Sequence[object] | None, limit: int
) -> list[Account]:
    """`limit` accounts, or those that are one person's own, in this order, after the one with the key `after`."""
    where = Where(org).equal({"user_id": user_id})
    return [account_of(row) for row in await order.read(tx, LIST, where, after, limit)]


async def add(
    tx: Transaction,
    org: UUID,
    id_: UUID,
    connector: str,
    name: str,
    settings: dict[str, Any],
    sealed: bytes,
    user_id: UUID | None = None,
) -> Account:
    """A new account and its route."""
    await tx.execute(ADD_ROUTE, id_, org)
    row = await tx.fetchrow(ADD, org, id_, connector, name, settings, sealed, user_id)
    assert row is not None
    return account_of(row)
