"""Stripe's side: accounts, customers, checkouts, and what its webhooks told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

SAVE_ACCOUNT: Final = """
INSERT INTO stripe_accounts (organization_id, sealed) VALUES ($1, $2)
ON CONFLICT (organization_id) DO UPDATE SET sealed = excluded.sealed, sequence = stripe_accounts.sequence + 1"""
SEALED: Final = "SELECT sealed FROM stripe_accounts WHERE organization_id = $1"
FORGET_ACCOUNT: Final = "DELETE FROM stripe_accounts WHERE organization_id = $1"

CUSTOMER: Final = "SELECT * FROM stripe_customers WHERE organization_id = $1"
SAVE_CUSTOMER: Final = """
INSERT INTO stripe_customers (organization_id, customer_id, subscription_id) VALUES ($1, $2, $3)
ON CONFLICT (organization_id) DO UPDATE
SET customer_id = excluded.customer_id,
    subscription_id = coalesce(excluded.subscription_id, stripe_customers.subscription_id)"""

ADD_CHECKOUT: Final = """
INSERT INTO checkouts (organization_id, id, plan, invoice_id) VALUES ($1, $2, $3, $4) RETURNING *"""
READ_CHECKOUT: Final = "SELECT * FROM checkouts WHERE organization_id = $1 AND id = $2"
CHECKOUT_OPENED: Final = """
UPDATE checkouts SET sequence = sequence + 1, state = 'open', session_id = $3, url = $4
WHERE organization_id = $1 AND id = $2 AND state = 'pending'"""
CHECKOUT_FAILED: Final = """
UPDATE checkouts SET sequence = sequence + 1, state = 'failed', reason = $3
WHERE organization_id = $1 AND id = $2 AND state = 'pending'"""
CHECKOUT_COMPLETED: Final = """
UPDATE checkouts SET sequence = sequence + 1, state = 'completed', reason = $3
WHERE organization_id = $1 AND id = $2 AND state <> 'completed'"""

TAKE_EVENT: Final = """
INSERT INTO stripe_events (organization_id, id, type) VALUES ($1, $2, $3)
ON CONFLICT (organization_id, id) DO NOTHING RETURNING id"""

# One that has ended stays so; of two of the same second the later to come is taken, and Stripe asked (`again`).
TAKE_OBJECT: Final = """
WITH before AS (SELECT told_at FROM stripe_objects WHERE organization_id = $1 AND id = $2)
INSERT INTO stripe_objects (organization_id, id, told_at, ended) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, id) DO UPDATE
SET told_at = excluded.told_at, ended = excluded.ended
WHERE NOT stripe_objects.ended AND stripe_objects.told_at <= excluded.told_at
RETURNING coalesce((SELECT told_at FROM before) = $3, false) AS again"""

ADD_REQUEST: Final = "INSERT INTO stripe_requests (organization_id, id, kind) VALUES ($1, $2, $3)"
READ_REQUEST: Final = "SELECT * FROM stripe_requests WHERE organization_id = $1 AND id = $2"
ANSWER_REQUEST: Final = """
UPDATE stripe_requests SET sequence = sequence + 1, state = $3, result = $4, reason = $5
WHERE organization_id = $1 AND id = $2 AND state = 'pending'"""

ORGANIZATION: Final = "SELECT name FROM organizations WHERE organization_id = $1"
PAYMENT_BY_REFERENCE: Final = """
SELECT * FROM payments WHERE organization_id = $1 AND method = 'stripe' AND state = 'succeeded' AND reference = $2"""


async def sealed_account(tx: Transaction, org: UUID) -> bytes | None:
    """The organization's keys, sealed."""
    sealed: bytes | None = await tx.fetchval(SEALED, org)
    return sealed


async def customer(tx: Transaction, org: UUID) -> Mapping[str, Any]:
    """Its ids in the platform's account, as far as there are any."""
    row = await tx.fetchrow(CUSTOMER, org)
    return row or {"customer_id": None, "subscription_id": None}


async def checkout(tx: Transaction, org: UUID, checkout_id: UUID) -> Row | None:
    """One checkout."""
    return await tx.fetchrow(READ_CHECKOUT, org, checkout_id)


async def take_event(tx: Transaction, org: UUID, event_id: str, type_: str) -> bool:
    """Whether this is the first time that it comes."""
    return await tx.fetchval(TAKE_EVENT, org, event_id, type_) is not None


async def take_object(
    tx: Transaction, org: UUID, object_id: str, told_at: datetime, *, ended: bool
) -> bool | None:
    """None for a state older than the one applied; whether another came in the same second."""
    again: bool | None = await tx.fetchval(TAKE_OBJECT, org, object_id, told_at, ended)
    return again
