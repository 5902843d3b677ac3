"""/v1/partner-subscriptions/{id}/deliveries: the log."""

from uuid import UUID

from flotilla.http import ConflictError, NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.sorting import ByTime, Several
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations.partners import commands
from flotilla_integrations.partners.api import showing
from flotilla_integrations.partners.domain import State, Subscription
from flotilla_integrations.partners.schemas import DeliveryOut, DeliveryState
from flotilla_integrations.partners.store import deliveries as store

log_routes = Routes("/v1/partner-subscriptions/{subscription_id}/deliveries", tag="partners")


@log_routes.get("", permission="partners:read")
async def list_deliveries(
    subscription_id: UUID,
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Several[DeliveryState] = None,
    sort: ByTime = "-created_at",
) -> Page[DeliveryOut]:
    """What was and will be delivered, newest first; kept for 30 days."""
    await showing.read(tx, who.org, subscription_id)
    order, filters = BY_TIME[sort], {"subscription_id": subscription_id, "state": state}
    rows = await store.log(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([_out(row) for row in rows], sort, order)


@log_routes.get("/{delivery_id}", permission="partners:read")
async def read_delivery(subscription_id: UUID, delivery_id: UUID, tx: Tx, who: Who) -> DeliveryOut:
    """One delivery and what came of its last attempt."""
    to = await showing.read(tx, who.org, subscription_id)
    return _out(await _read(tx, to, delivery_id))


@log_routes.post("/{delivery_id}/retry", permission="partners:write", recent=False, status_code=202)
async def deliver_again(subscription_id: UUID, delivery_id: UUID, tx: Tx, who: Who) -> DeliveryOut:
    """Deliver the same event again, at once and under the same id: a delivery of its own."""
    to = await showing.lock(tx, who.org, subscription_id)
    if to.state is not State.ACTIVE:
        raise ConflictError(f"It is {to.state}: it would not be delivered.")
    before = await _read(tx, to, delivery_id)
    if before["state"] == "expired":
        raise ConflictError("The event is not kept any more.")
    return _out(await _read(tx, to, await commands.send_again(tx, to, before)))


async def _read(tx: Transaction, to: Subscription, delivery_id: UUID) -> Row:
    row = await tx.fetchrow(store.READ, to.organization_id, to.id, delivery_id)
    if row is None:
        raise NotFoundError("There is no such delivery.")
    return row


def _out(row: Row) -> DeliveryOut:
    shown = DeliveryOut.model_validate(dict(row))
    return shown if shown.state == "waiting" else shown.model_copy(update={"due_at": None})
