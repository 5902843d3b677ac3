"""Orders of connected shops: told once for each state, whatever order webhooks come in and however often."""

import hashlib
from typing import Final

import msgspec
from flotilla.events.base import Money
from flotilla.events.connectors import CommerceOrderChanged
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_integrations.adapters.shop import Order, OrderState
from flotilla_integrations.domain import EPOCH, Account, identity_id
from flotilla_integrations.events import AUDIENCE
from flotilla_integrations.store import connectors as store

DELETED: Final = "deleted"
NO_CURRENCY: Final = "X" * 3
"""ISO 4217: no currency is involved."""


async def keep(tx: Transaction, account: Account, order: Order) -> None:
    """Tell how it stands, where that is news: a repeated delivery, an older state and the same again are not."""
    org = account.organization_id
    delivery = derived_id(EPOCH, "hook", str(account.id), order.delivery_id)
    if order.delivery_id and await tx.fetchval(store.ADD_DELIVERY, delivery) is None:
        return
    order_id = derived_id(EPOCH, "order", str(account.id), order.external_id)
    event = CommerceOrderChanged(
        order_id=order_id,
        account_id=account.id,
        shop=account.connector,
        external_id=order.external_id,
        number=order.number,
        state=order.state,
        vendor_state=order.vendor_state,
        total=order.total,
        lines=list(order.lines),
        identity_id=identity_id(account.connector, account.id, order.buyer_id),
        buyer=order.buyer,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
    )
    digest = hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(event, updated_at=order.placed_at)))
    before = await tx.fetchval(store.ORDER_STATE, org, order_id)
    sequence = await tx.fetchval(
        store.KEEP_ORDER,
        org,
        order_id,
        account.id,
        order.external_id,
        order.state,
        digest.hexdigest(),
        order.updated_at,
    )
    if sequence is None:
        return
    if before is not None and before != order.state:
        event = msgspec.structs.replace(event, changed={"state": [before, order.state.value]})
    tx.emit(event, org=org, sequence=sequence, audience=AUDIENCE)


async def delete(tx: Transaction, account: Account, external_id: str) -> None:
    """It is in the shop no more; one that was never told of needs no telling."""
    org = account.organization_id
    order_id = derived_id(EPOCH, "order", str(account.id), external_id)
    before = await tx.fetchval(store.ORDER_STATE, org, order_id)
    row = await tx.fetchrow(store.DELETE_ORDER, org, order_id)
    if row is None:
        return
    event = CommerceOrderChanged(
        order_id=order_id,
        account_id=account.id,
        shop=account.connector,
        external_id=external_id,
        number="",
        state=OrderState.DELETED,
        vendor_state=DELETED,
        total=Money(amount_minor=0, currency=NO_CURRENCY),
        lines=[],
        identity_id=order_id,
        buyer=None,
        placed_at=row["updated_at"],
        updated_at=row["updated_at"],
        changed={"state": [before, OrderState.DELETED.value]},
    )
    tx.emit(event, org=org, sequence=row["sequence"], audience=AUDIENCE)
