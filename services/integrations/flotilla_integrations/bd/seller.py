"""The seller's side of the market: a job of the seller's organization brings it to what the offer's state says.

So it makes no difference in what order such jobs are done, or how often.
"""

from typing import Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.cause import Cause
from flotilla.events import bd_accounts as events
from flotilla.events.integrations import IntegrationDisconnected
from flotilla.store.postgres import Transaction

from flotilla_integrations.bd import commands
from flotilla_integrations.bd.domain import BdAccount, Offer
from flotilla_integrations.connecting import ask_to_connect
from flotilla_integrations.domain import AccountState
from flotilla_integrations.events import say_account, say_changed
from flotilla_integrations.store import accounts
from flotilla_integrations.store import bd as store

SELLER: Final = "bd_seller"
LENT: Final = "Another organization has it."
SOLD: Final = "It was sold."


class Turned(msgspec.Struct, frozen=True):
    """The offer whose state changed."""

    offer_id: UUID
    reconnect: bool = False
    """The vendor may have been told of the buyer, though the account never changed hands."""


def ask(tx: Transaction, offer: Offer | None, cause: Cause, *, reconnect: bool = False) -> None:
    """Have the seller's account follow the offer."""
    if offer is not None:
        key = f"{offer.id}:{offer.sequence}:{'again' if reconnect else ''}"
        turned = Turned(offer.id, reconnect)
        # Who buys is none of the seller's business: a journey of its own.
        tx.enqueue(SELLER, key, turned, org=offer.seller_id, cause=Cause.fresh("service:integrations"))


async def _nothing_outside(app: App, job: Job) -> None:
    """All of it is done in the seller's own transaction."""


async def _follow(tx: Transaction, job: Job, _: object) -> None:
    offer = await store.one(tx, Offer, store.LOCK_OFFER, job.payload.offer_id)
    if offer is None:
        return
    bd_account = await store.one(tx, BdAccount, store.LOCK, job.org, offer.account_id)
    if bd_account is None:
        return
    if offer.state in ("handed", "rented", "sold"):
        await _give_away(tx, bd_account, sold=offer.state == "sold")
    elif bd_account.state == "lent" or job.payload.reconnect:
        await _take_back(tx, bd_account)


async def _give_away(tx: Transaction, bd_account: BdAccount, *, sold: bool) -> None:
    org, id_ = bd_account.organization_id, bd_account.id
    state, reason = ("sold", SOLD) if sold else ("lent", LENT)
    if bd_account.state == state:
        return
    await commands.assign(tx, bd_account, None)
    await tx.execute(store.SET_STATE, org, id_, state, reason)
    await commands.tell(tx, org, id_, events.BdAccountDisconnected)
    after = await accounts.one(tx, accounts.DISCONNECT, org, id_)
    if after is not None:
        await say_account(tx, after, IntegrationDisconnected)
    if sold:
        now = await accounts.one(tx, accounts.READ, org, id_)
        assert now is not None
        await tx.execute(accounts.FORGET_CREDENTIALS, org, id_, now.sequence)
        await say_changed(tx, now)


async def _take_back(tx: Transaction, bd_account: BdAccount) -> None:
    """Connect it again: what comes from the vendor comes to the seller."""
    org, id_ = bd_account.organization_id, bd_account.id
    if bd_account.state == "lent":
        await tx.execute(store.SET_STATE, org, id_, "disconnected", None)
    account = await accounts.one(tx, accounts.LOCK, org, id_)
    if account is None or account.sealed is None:
        return
    after = await accounts.one(
        tx,
        accounts.CHANGE,
        org,
        id_,
        account.name,
        AccountState.CONNECTING,
        account.settings,
        account.sealed,
    )
    assert after is not None
    await say_changed(tx, after)
    ask_to_connect(tx, after)


async def _never(tx: Transaction, job: Job, error: Exception) -> None:
    await _follow(tx, job, None)


seller_job: Final = JobKind(SELLER, Turned, _nothing_outside, _follow, _never)
