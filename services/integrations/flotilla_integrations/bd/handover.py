"""Handing over: the vendor is connected with the buyer's account, under the seller's credentials, sealed anew."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events import bd_accounts as events
from flotilla.events.integrations import IntegrationConnected
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_integrations.adapters.base import AdapterError, RefusedError
from flotilla_integrations.bd import saga, seller
from flotilla_integrations.bd.domain import PURCHASED, RENT, RENTED, Purchase
from flotilla_integrations.domain import Account, AccountState, Sealed
from flotilla_integrations.events import say_account
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts
from flotilla_integrations.store import bd as store

HAND_OVER: Final = "bd_hand_over"
CANCELLED: Final = "cancelled"
NO_ANSWER: Final = "The network did not answer."
NOT_CONNECTED: Final = "The seller's account is not connected any more."


class HandingOver(msgspec.Struct, frozen=True):
    """The purchase whose account changes hands."""

    purchase_id: UUID


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the seller keeps it."""

    reason: str


@reaction(events.BdAccountHandoverRequested, lane=saga.LANE)
async def hand_over(tx: Transaction, batch: Sequence[Received[events.BdAccountHandoverRequested]]) -> None:
    """Have what was paid for change hands."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        _fail(tx, event.org, event.data.purchase_id, event.data.request_id, CANCELLED, event.cause)
    for event in sorted(granted, key=lambda each: each.data.purchase_id):
        wish = event.data
        purchase = await store.one(tx, Purchase, store.LOCK_PURCHASE, event.org, wish.purchase_id)
        if purchase is None or purchase.state != "buying":
            _fail(tx, event.org, wish.purchase_id, wish.request_id, "There is no such purchase.", event.cause)
            continue
        await store.move_purchase(tx, purchase, "handing", handover=wish.request_id)
        cause = replace(event.cause, request_id=wish.request_id)
        tx.enqueue(HAND_OVER, str(purchase.id), HandingOver(purchase.id), org=event.org, cause=cause)


@reaction(events.BdAccountRevokeRequested, lane=saga.LANE)
async def revoke(tx: Transaction, batch: Sequence[Received[events.BdAccountRevokeRequested]]) -> None:
    """Take back what was handed over; what is just being handed over is taken back once that is done."""
    await wishes.cancel(tx, batch)
    for event in sorted(batch, key=lambda each: each.data.purchase_id):
        wish = event.data
        purchase = await store.one(tx, Purchase, store.LOCK_BY_HANDOVER, event.org, wish.cancels)
        if purchase is not None and purchase.state == "handing":
            await store.move_purchase(tx, purchase, "handing", revoke=wish.request_id)
            continue
        if purchase is not None and purchase.state == "handed":
            await _take_back(tx, purchase, event.cause)
        if purchase is not None and purchase.state in ("done", "released"):
            _not_revoked(tx, event)
            continue
        _revoked(tx, event.org, wish.purchase_id, wish.request_id, event.cause)


async def _perform(app: App, job: Job) -> Account | Refused | None:
    """Connect the vendor with the buyer's account; None where it was taken back meanwhile."""
    async with app.db.transaction(job.org) as tx:
        purchase = await store.one(tx, Purchase, store.PURCHASE, job.org, job.payload.purchase_id)
    assert purchase is not None
    if purchase.revoke_request_id is not None:
        return None
    async with app.db.transaction(purchase.seller_id) as tx:
        source = await accounts.one(tx, accounts.READ, purchase.seller_id, purchase.source_account_id)
    if source is None or source.sealed is None or source.state is not AccountState.CONNECTED:
        return Refused(NOT_CONNECTED)
    directory = own(app).directory
    credentials = directory.unseal(source.id, source.sealed).credentials
    id_ = purchase.bd_account_id
    bought = replace(
        source,
        organization_id=job.org,
        id=id_,
        name=purchase.title,
        sealed=directory.seal(id_, Sealed(credentials, secrets.token_urlsafe(32))),
        user_id=None,
        sequence=1,
    )
    adapter = directory.adapter(bought)
    assert adapter is not None
    try:
        found = await adapter.connect(adapter.config)
    except RefusedError as error:
        return Refused(str(error))
    return replace(bought, external_id=found.external_id)


async def _finish(tx: Transaction, job: Job, result: Account | Refused | None) -> None:
    purchase = await store.one(tx, Purchase, store.LOCK_PURCHASE, job.org, job.payload.purchase_id)
    assert purchase is not None
    assert purchase.handover_request_id is not None
    if isinstance(result, Account) and purchase.revoke_request_id is None:
        await _handed_over(tx, purchase, result, job.cause)
        return
    reason = result.reason if isinstance(result, Refused) else CANCELLED
    await _not_handed_over(tx, purchase, reason, job.cause)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    purchase = await store.one(tx, Purchase, store.LOCK_PURCHASE, job.org, job.payload.purchase_id)
    assert purchase is not None
    words = str(error) if isinstance(error, AdapterError) else NO_ANSWER
    await _not_handed_over(tx, purchase, words, job.cause)


async def _handed_over(tx: Transaction, purchase: Purchase, account: Account, cause: Cause) -> None:
    org, request_id = purchase.organization_id, purchase.handover_request_id
    assert account.sealed is not None
    assert request_id is not None
    added = await accounts.add(
        tx, org, account.id, account.connector, account.name, account.settings, account.sealed
    )
    connected = await accounts.one(
        tx, accounts.CONNECTED, org, account.id, added.sequence, account.external_id
    )
    assert connected is not None
    acquired = RENTED if purchase.kind == RENT else PURCHASED
    limit = purchase.daily_limit
    await tx.fetchval(store.ADD, org, account.id, acquired, None, limit, 0, purchase.id)
    await say_account(tx, connected, IntegrationConnected)
    moved = await store.move_purchase(tx, purchase, "handed")
    offer = await store.move_offer(tx, purchase, "handed")
    told = events.BdAccountHandedOver(
        request_id=request_id, purchase_id=purchase.id, bd_account_id=account.id
    )
    tx.emit(told, org=org, sequence=moved.sequence, cause=replace(cause, request_id=request_id))
    seller.ask(tx, offer, cause)


async def _not_handed_over(tx: Transaction, purchase: Purchase, reason: str, cause: Cause) -> None:
    """The seller keeps it, and is connected again: the vendor may have been told of the buyer."""
    org, request_id, undo = purchase.organization_id, purchase.handover_request_id, purchase.revoke_request_id
    assert request_id is not None
    await store.move_purchase(tx, purchase, "buying")
    offer = await store.move_offer(tx, purchase, "reserved")
    seller.ask(tx, offer, cause, reconnect=reason != NOT_CONNECTED)
    _fail(tx, org, purchase.id, request_id, reason, cause)
    if undo is not None:
        _revoked(tx, org, purchase.id, undo, cause)


async def _take_back(tx: Transaction, purchase: Purchase, cause: Cause) -> None:
    org = purchase.organization_id
    await store.move_purchase(tx, purchase, "buying")
    await tx.execute(store.SET_STATE, org, purchase.bd_account_id, "released", "The purchase was undone.")
    await saga.forget(tx, org, purchase.bd_account_id, cause)
    seller.ask(tx, await store.move_offer(tx, purchase, "reserved"), cause)


def _fail(tx: Transaction, org: UUID, purchase_id: UUID, request_id: UUID, reason: str, cause: Cause) -> None:
    failed = events.BdAccountHandoverFailed(request_id=request_id, purchase_id=purchase_id, reason=reason)
    tx.emit(failed, org=org, sequence=1, cause=replace(cause, request_id=request_id))


def _revoked(tx: Transaction, org: UUID, purchase_id: UUID, request_id: UUID, cause: Cause) -> None:
    told = events.BdAccountRevoked(request_id=request_id, purchase_id=purchase_id)
    tx.emit(told, org=org, sequence=1, cause=replace(cause, request_id=request_id))


def _not_revoked(tx: Transaction, event: Received[events.BdAccountRevokeRequested]) -> None:
    wish = event.data
    told = events.BdAccountRevokeFailed(
        request_id=wish.request_id, purchase_id=wish.purchase_id, reason="The purchase is complete."
    )
    cause = replace(event.cause, request_id=wish.request_id)
    tx.emit(told, org=event.org, sequence=1, cause=cause)


hand_over_job: Final = JobKind(
    HAND_OVER, HandingOver, _perform, _finish, _give_up, lease=timedelta(seconds=90), attempts=5
)
