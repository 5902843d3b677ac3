"""Accounts that business development writes from."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events import bd_accounts as events
from flotilla.events.integrations import IntegrationDisconnected
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    Work,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import Order, both, by_name
from pydantic import Field

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.base import CHANNEL
from flotilla_integrations.bd import commands, saga
from flotilla_integrations.bd.domain import OWN, RENTED, BdAccount
from flotilla_integrations.connecting import ask_to_disconnect
from flotilla_integrations.domain import AccountState
from flotilla_integrations.events import say_account, say_changed
from flotilla_integrations.store import accounts
from flotilla_integrations.store import bd as store

routes = Routes("/v1/bd-accounts", tag="business development")

ORDERS: Final = {
    **both("created_at", Order(("b.created_at", "b.id"), (datetime, UUID))),
    **by_name("a.name", "b.id"),
}
GIVEN_BACK = "It was given back."
Limit = Annotated[int, Field(ge=1, le=100_000, description="Messages a day (UTC), once it is warm.")]
WarmUp = Annotated[int, Field(ge=0, le=90, description="Days until it may send its whole limit; 0: at once.")]


class BdAccountIn(Written):
    """A connected account that business development shall write from."""

    account_id: UUID
    daily_limit: Limit = 50
    warm_up_days: WarmUp = 0


class BdAccountPatch(Patch):
    """What to change; another length of the warm-up begins it anew."""

    daily_limit: Limit | None = None
    warm_up_days: WarmUp | None = None


class AssignmentIn(Written):
    """Who writes from it."""

    user_id: UUID


class BdAccountOut(Shown):
    """An account, what it may send, and who writes from it."""

    id: UUID
    network: str
    name: str
    acquired: Literal["own", "purchased", "rented"]
    state: Literal["connected", "disconnected", "lent", "sold", "released"]
    reason: str | None
    user_id: UUID | None
    daily_limit: int
    limit_today: int
    sent_today: int
    warm_up_ends_at: datetime | None
    rent_ends_at: datetime | None
    purchase_id: UUID | None
    created_at: datetime
    sequence: int = Field(description="Counts its changes; also its ETag.")


@routes.post("", permission="accounts:write", status_code=201)
async def add_bd_account(wanted: BdAccountIn, who: Who, tx: Tx, response: Response) -> BdAccountOut:
    """Write from a connected account: with a limit a day, and warmed up to it."""
    account = await accounts.one(tx, accounts.LOCK, who.org, wanted.account_id)
    if account is None or ADAPTERS[account.connector].kind != CHANNEL:
        raise NotFoundError("There is no such account.")
    if account.state is not AccountState.CONNECTED:
        raise ConflictError("The account is not connected.")
    added = await tx.fetchval(
        store.ADD, who.org, account.id, OWN, None, wanted.daily_limit, wanted.warm_up_days, None
    )
    if added is None:
        raise ConflictError("Business development writes from this account already.")
    made = await commands.tell(tx, who.org, account.id, events.BdAccountConnected)
    await say_changed(tx, account)
    response.headers["Location"] = f"/v1/bd-accounts/{made.id}"
    return _shown(made, response)


@routes.get("", permission="accounts:read")
async def list_bd_accounts(
    who: Who,
    tx: Tx,
    query: PageQuery,
    user_id: Annotated[UUID | None, Query()] = None,
    sort: ByTimeOrName = "-created_at",
) -> Page[BdAccountOut]:
    """The newest first, or by name; those that one person writes from."""
    order = ORDERS[sort]
    found = await store.accounts_of(tx, who.org, user_id, order, query.place(sort, order), query.limit + 1)
    return query.page([_shown(each) for each in found], sort, order)


@routes.get("/{bd_account_id}", permission="accounts:read")
async def read_bd_account(bd_account_id: UUID, who: Who, tx: Tx, response: Response) -> BdAccountOut:
    """One of them; its ETag guards changes."""
    return _shown(_found(await store.one(tx, BdAccount, store.READ, who.org, bd_account_id)), response)


@routes.patch("/{bd_account_id}", permission="accounts:write")
async def change_bd_account(
    bd_account_id: UUID, change: BdAccountPatch, who: Who, tx: Tx, request: Request, response: Response
) -> BdAccountOut:
    """Other limits."""
    before = await _locked(tx, who.org, bd_account_id, request)
    limit = before.daily_limit if change.daily_limit is None else change.daily_limit
    days = before.warm_up_days if change.warm_up_days is None else change.warm_up_days
    await tx.execute(store.CHANGE, who.org, bd_account_id, limit, days)
    note_change(
        {"daily_limit": before.daily_limit, "warm_up_days": before.warm_up_days},
        {"daily_limit": limit, "warm_up_days": days},
    )
    return _shown(await store.account(tx, who.org, bd_account_id), response)


@routes.put("/{bd_account_id}/assignment", permission="accounts:write")
async def assign_bd_account(
    bd_account_id: UUID, wanted: AssignmentIn, who: Who, tx: Tx, request: Request, response: Response
) -> BdAccountOut:
    """Have this person write from it; whoever did before does no longer."""
    before = await _locked(tx, who.org, bd_account_id, request)
    if before.state not in ("connected", "disconnected"):
        raise ConflictError("The organization has it no more.")
    await commands.assign(tx, before, wanted.user_id)
    note_change({"user_id": before.user_id}, {"user_id": wanted.user_id})
    return _shown(await store.account(tx, who.org, bd_account_id), response)


@routes.delete("/{bd_account_id}/assignment", permission="accounts:write", status_code=204)
async def unassign_bd_account(bd_account_id: UUID, who: Who, tx: Tx, request: Request) -> None:
    """Have nobody write from it."""
    before = await _locked(tx, who.org, bd_account_id, request)
    await commands.assign(tx, before, None)
    note_change({"user_id": before.user_id}, None)


@routes.delete("/{bd_account_id}", permission="accounts:write", status_code=204)
async def remove_bd_account(bd_account_id: UUID, who: Who, tx: Tx, work: Work, request: Request) -> None:
    """Disconnect it; one that is rented is given back before its time."""
    before = await _locked(tx, who.org, bd_account_id, request)
    if before.state == "lent":
        raise ConflictError("Another organization has it: wait until its rent has ended.")
    if before.acquired == RENTED:
        await saga.give_back(tx, before, GIVEN_BACK, work.cause)
        return
    await commands.assign(tx, before, None)
    after = await accounts.one(tx, accounts.DISCONNECT, who.org, bd_account_id)
    if after is not None:
        await say_account(tx, after, IntegrationDisconnected)
        ask_to_disconnect(tx, after)


async def _locked(tx: Tx, org: UUID, id_: UUID, request: Request) -> BdAccount:
    found = _found(await store.one(tx, BdAccount, store.LOCK, org, id_))
    check_if_match(request, found.sequence)
    return found


def _found(account: BdAccount | None) -> BdAccount:
    if account is None:
        raise NotFoundError("There is no such account for business development.")
    return account


def _shown(account: BdAccount, response: Response | None = None) -> BdAccountOut:
    if response is not None:
        set_etag(response, account.sequence)
    shown = {name: getattr(account, name) for name in BdAccountOut.model_fields if name != "limit_today"}
    return BdAccountOut(**shown, limit_today=account.limit_at(datetime.now(UTC)))
