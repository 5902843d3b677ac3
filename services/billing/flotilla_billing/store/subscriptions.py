"""Subscriptions and entitlements."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.store.postgres import Database, Row, Transaction

from flotilla_billing.domain.entitlements import Entitlement
from flotilla_billing.domain.subscriptions import Subscription, SubscriptionState

_SUBSCRIPTION: Final = (
    "organization_id, id, sequence, plan, state, provider, trial_ends_at, period_started_at, period_ends_at,"
    " cancel_at_period_end, grace_ends_at, created_at"
)
_ENTITLEMENT: Final = (
    "organization_id, id, sequence, feature, enabled, usage_limit, beyond, used, told, period_started_at"
)

START: Final = f"""
INSERT INTO subscriptions ({_SUBSCRIPTION})
SELECT {_SUBSCRIPTION} FROM jsonb_populate_recordset(NULL::subscriptions, $1::jsonb)
ORDER BY organization_id
ON CONFLICT (organization_id) DO NOTHING RETURNING {_SUBSCRIPTION}"""  # noqa: S608
SAVE: Final = f"""
UPDATE subscriptions SET sequence = sequence + 1, plan = $3, state = $4, provider = $5, trial_ends_at = $6,
       period_started_at = $7, period_ends_at = $8, cancel_at_period_end = $9, grace_ends_at = $10
WHERE organization_id = $1 AND id = $2 RETURNING {_SUBSCRIPTION}"""  # noqa: S608
READ: Final = f"SELECT {_SUBSCRIPTION} FROM subscriptions WHERE organization_id = $1"  # noqa: S608
HOLD: Final = f"""
SELECT {_SUBSCRIPTION} FROM subscriptions WHERE organization_id = ANY($1::uuid[])
ORDER BY organization_id FOR UPDATE"""  # noqa: S608
BEHIND: Final = """
SELECT organization_id FROM subscribers
WHERE (edition < $1 OR edition > $1) AND organization_id > $2 ORDER BY organization_id LIMIT $3"""
CAUGHT_UP: Final = "UPDATE subscribers SET edition = $2 WHERE organization_id = ANY($1::uuid[])"

PAYING: Final = """
SELECT organization_id FROM subscriptions
WHERE organization_id = ANY($1::uuid[]) AND provider = 'stripe' AND state <> 'cancelled'"""

GRANT: Final = f"""
INSERT INTO entitlements ({_ENTITLEMENT})
SELECT {_ENTITLEMENT} FROM jsonb_populate_recordset(NULL::entitlements, $1::jsonb)
ORDER BY organization_id, feature
ON CONFLICT (organization_id, feature) DO NOTHING"""  # noqa: S608
LOCK: Final = f"""
SELECT {_ENTITLEMENT} FROM entitlements WHERE organization_id = ANY($1::uuid[])
ORDER BY organization_id, feature FOR UPDATE"""  # noqa: S608
LIST: Final = f"SELECT {_ENTITLEMENT} FROM entitlements WHERE organization_id = $1 ORDER BY feature"  # noqa: S608
WRITE: Final = """
UPDATE entitlements e
SET sequence = t.sequence, enabled = t.enabled, usage_limit = t.usage_limit, beyond = t.beyond, used = t.used,
    told = t.told, period_started_at = t.period_started_at
FROM jsonb_populate_recordset(NULL::entitlements, $1::jsonb) AS t
WHERE e.organization_id = t.organization_id AND e.id = t.id"""

TERMS: Final = """
SELECT organization_id, feature, usage_limit FROM contract_terms WHERE organization_id = ANY($1::uuid[])"""
FORGET_TERMS: Final = "DELETE FROM contract_terms WHERE organization_id = $1"
SAVE_TERMS: Final = """
INSERT INTO contract_terms (organization_id, feature, usage_limit)
SELECT $1, * FROM unnest($2::text[], $3::bigint[])"""


async def start(tx: Transaction, subscriptions: Sequence[Subscription]) -> list[Subscription]:
    """Write those of organizations that have none yet: these."""
    return [subscription_of(row) for row in await tx.fetch(START, _rows(subscriptions))]


async def paying(tx: Transaction, orgs: Sequence[UUID]) -> set[UUID]:
    """Those of these organizations that pay through Stripe."""
    rows = await tx.fetch(PAYING, list(orgs)) if orgs else []
    return {row["organization_id"] for row in rows}


async def save(tx: Transaction, subscription: Subscription) -> Subscription:
    """Write a changed one: the result has the next sequence."""
    row = await tx.fetchrow(
        SAVE,
        subscription.organization_id,
        subscription.id,
        subscription.plan,
        subscription.state,
        subscription.provider,
        subscription.trial_ends_at,
        subscription.period_started_at,
        subscription.period_ends_at,
        subscription.cancel_at_period_end,
        subscription.grace_ends_at,
    )
    assert row is not None
    return subscription_of(row)


async def read(tx: Transaction, org: UUID, *, lock: bool = False) -> Subscription | None:
    """The organization's, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org)
    return None if row is None else subscription_of(row)


async def hold(tx: Transaction, orgs: Sequence[UUID]) -> list[Subscription]:
    """Those of these organizations, held until the commit, in their order."""
    return [subscription_of(row) for row in await tx.fetch(HOLD, list(orgs))]


async def behind(db: Database, edition: bytes, after: UUID, limit: int) -> list[UUID]:
    """Organizations whose entitlements are by other plans than these, in their order."""
    return [row["organization_id"] for row in await db.fetch(BEHIND, edition, after, limit)]


async def caught_up(tx: Transaction, orgs: Sequence[UUID], edition: bytes) -> None:
    """Theirs are by these plans now."""
    await tx.execute(CAUGHT_UP, list(orgs), edition)


async def terms(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, dict[str, int | None]]:
    """What was agreed with organizations, of those with whom something was: limits by feature."""
    found: dict[UUID, dict[str, int | None]] = {}
    for row in await tx.fetch(TERMS, list(orgs)):
        found.setdefault(row["organization_id"], {})[row["feature"]] = row["usage_limit"]
    return found


async def save_terms(tx: Transaction, org: UUID, limits: Mapping[str, int | None]) -> None:
    """These and no others."""
    await tx.execute(FORGET_TERMS, org)
    await tx.execute(SAVE_TERMS, org, list(limits), list(limits.values()))


async def grant(tx: Transaction, entitlements: Sequence[Entitlement]) -> None:
    """Write new ones."""
    await tx.execute(GRANT, _rows(entitlements))


async def lock_entitlements(tx: Transaction, orgs: Sequence[UUID]) -> list[Entitlement]:
    """All of these organizations, held until the commit."""
    return [Entitlement(**row) for row in await tx.fetch(LOCK, list(orgs))]


async def entitlements(tx: Transaction, org: UUID) -> list[Entitlement]:
    """All of an organization, by feature."""
    return [Entitlement(**row) for row in await tx.fetch(LIST, org)]


async def write(tx: Transaction, changed: Sequence[Entitlement]) -> None:
    """Write ones that are locked, with their new sequences."""
    await tx.execute(WRITE, _rows(changed))


def subscription_of(row: Row) -> Subscription:
    """The subscription of a row."""
    values = dict(row)
    values["state"] = SubscriptionState(values["state"])
    return Subscription(**values)


def _rows(entities: Sequence[Any]) -> Any:
    return msgspec.to_builtins(list(entities))
