"""What organizations have paid beforehand: balances, and the ledger that they are the sum of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

Key = tuple[UUID, str]
"""(organization, currency)."""

OPEN: Final = """
INSERT INTO wallets (organization_id, currency, balance_minor)
SELECT DISTINCT org, currency, 0 FROM unnest($1::uuid[], $2::text[]) AS t (org, currency) ORDER BY org, currency
ON CONFLICT DO NOTHING"""

# Held in one order by everybody, until the commit: whoever spends sees what is really there.
LOCK: Final = """
SELECT w.organization_id, w.currency, w.balance_minor FROM wallets w
JOIN unnest($1::uuid[], $2::text[]) AS t (org, currency) ON w.organization_id = t.org AND w.currency = t.currency
ORDER BY w.organization_id, w.currency FOR UPDATE OF w"""

# By the clock of the moment, a microsecond apart: under the lock of the balance, so that no other of its entries comes
# between, and the ledger by time is the order in which it moved.
ENTER: Final = """
INSERT INTO wallet_entries (organization_id, id, currency, amount_minor, balance_minor, kind, purchase_id, text,
                            created_at)
SELECT org, id, currency, amount, balance, kind, purchase, text, clock_timestamp() + place * interval '1 microsecond'
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::uuid[], $8::text[])
     WITH ORDINALITY AS t (org, id, currency, amount, balance, kind, purchase, text, place)"""

KNOWN: Final = """
SELECT e.organization_id, e.id FROM wallet_entries e
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON e.organization_id = t.org AND e.id = t.id"""

SET: Final = """
UPDATE wallets w SET balance_minor = t.balance, sequence = sequence + 1
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS t (org, currency, balance)
WHERE w.organization_id = t.org AND w.currency = t.currency"""

LIST: Final = "SELECT currency, balance_minor FROM wallets WHERE organization_id = $1 ORDER BY currency"

ENTRIES: Final = """
SELECT id, currency, amount_minor, balance_minor, kind, purchase_id, text, created_at FROM wallet_entries"""

ENTRY: Final = f"{ENTRIES} WHERE organization_id = $1 AND id = $2"


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Money that shall come to a balance, or go from it: once under its id."""

    organization_id: UUID
    id: UUID
    currency: str
    amount_minor: int
    kind: str
    text: str
    purchase_id: UUID | None = None

    @property
    def key(self) -> Key:
        """Which balance it moves."""
        return self.organization_id, self.currency


async def move(tx: Transaction, wanted: Sequence[Movement]) -> dict[tuple[UUID, UUID], bool]:
    """Move what the balances cover, in this order: by (organization, id), whether it is done.

    What was moved under its id before is done, and is not moved again.
    """
    if not wanted:
        return {}
    keys = sorted({each.key for each in wanted})
    orgs, currencies = [org for org, _ in keys], [currency for _, currency in keys]
    await tx.execute(OPEN, orgs, currencies)
    rows = await tx.fetch(LOCK, orgs, currencies)
    balances = {(row["organization_id"], row["currency"]): row["balance_minor"] for row in rows}
    done = await _known(tx, wanted)
    entered: list[tuple[Movement, int]] = []
    for each in wanted:
        place = each.organization_id, each.id
        if done.get(place):
            continue
        after = balances[each.key] + each.amount_minor
        done[place] = after >= 0
        if after >= 0:
            balances[each.key] = after
            entered.append((each, after))
    if entered:
        await _enter(tx, entered)
        moved = sorted({each.key for each, _ in entered})
        await tx.execute(SET, [org for org, _ in moved], [c for _, c in moved], [balances[k] for k in moved])
    return done


async def balances(tx: Transaction, org: UUID) -> list[Row]:
    """(currency, balance_minor)."""
    return await tx.fetch(LIST, org)


async def entries(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """`limit` of the ledger in this order, after the one with the key `after`."""
    return await order.read(tx, ENTRIES, Where(org), after, limit)


async def entry(tx: Transaction, org: UUID, entry_id: UUID) -> Row:
    """One that is there."""
    row = await tx.fetchrow(ENTRY, org, entry_id)
    assert row is not None
    return row


async def _known(tx: Transaction, wanted: Sequence[Movement]) -> dict[tuple[UUID, UUID], bool]:
    rows = await tx.fetch(KNOWN, [each.organization_id for each in wanted], [each.id for each in wanted])
    return {(row["organization_id"], row["id"]): True for row in rows}


async def _enter(tx: Transaction, entered: Sequence[tuple[Movement, int]]) -> None:
    await tx.execute(
        ENTER,
        [each.organization_id for each, _ in entered],
        [each.id for each, _ in entered],
        [each.currency for each, _ in entered],
        [each.amount_minor for each, _ in entered],
        [after for _, after in entered],
        [each.kind for each, _ in entered],
        [each.purchase_id for each, _ in entered],
        [each.text for each, _ in entered],
    )
