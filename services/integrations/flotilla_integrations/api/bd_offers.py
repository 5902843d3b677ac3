"""The market of accounts for business development: offers, and what was bought or rented."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
)
from flotilla.http.bodies import Shown, Written
from flotilla.http.routes import PEOPLE
from flotilla.http.sorting import ByTime
from flotilla.ids import new_id
from flotilla.security.principal import Principal
from flotilla.store.order import BY_TIME
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from flotilla_integrations.api.schemas import Name
from flotilla_integrations.bd import saga
from flotilla_integrations.bd.domain import RENTED, BdAccount, Offer, Purchase
from flotilla_integrations.store import bd as store

offers = Routes("/v1/bd-offers", tag="business development")
purchases = Routes("/v1/bd-purchases", tag="business development")

Kind = Literal["sale", "rent"]


class PriceIn(Written):
    """Money, exact."""

    amount_minor: Annotated[int, Field(ge=1, le=100_000_000_00)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]


class PriceOut(Shown):
    """Money, exact."""

    amount_minor: int
    currency: str


class OfferIn(Written):
    """An account that others may buy or rent."""

    bd_account_id: UUID
    kind: Kind
    title: Name
    price: PriceIn
    rent_days: Annotated[int | None, Field(ge=1, le=366, description="Of a rent.")] = None

    @model_validator(mode="after")
    def _rent_has_days(self) -> "OfferIn":
        if (self.kind == "rent") != (self.rent_days is not None):
            raise PydanticCustomError("rent_days", "A rent has `rent_days`, a sale has none.")
        return self


class OfferOut(Shown):
    """An offer, as every organization sees it."""

    id: UUID
    kind: Kind
    network: str
    title: str
    price: PriceOut
    rent_days: int | None
    daily_limit: int
    state: Literal["open", "reserved", "handed", "rented", "sold", "withdrawn"]
    mine: bool = Field(description="Whether it is the organization's own.")
    created_at: datetime


class PurchaseIn(Written):
    """Who shall write from it; whoever asks where nobody is named."""

    user_id: UUID | None = None


class PurchaseOut(Shown):
    """A purchase or rent; its saga at `/v1/sagas/integrations?subject_id=<id>` shows each step."""

    id: UUID
    offer_id: UUID
    bd_account_id: UUID = Field(description="The account, once it was handed over.")
    kind: Kind
    network: str
    title: str
    price: PriceOut
    user_id: UUID
    state: Literal["buying", "handing", "handed", "done", "failed", "released"]
    reason: str | None
    created_at: datetime


@offers.post("", permission="accounts:write", status_code=201)
async def add_bd_offer(wanted: OfferIn, who: Who, tx: Tx, response: Response) -> OfferOut:
    """Offer an account to other organizations."""
    account = await store.one(tx, BdAccount, store.LOCK, who.org, wanted.bd_account_id)
    if account is None:
        raise UnprocessableError(
            "There is no such account for business development.",
            errors=[{"pointer": "/bd_account_id", "detail": "unknown"}],
        )
    if account.state != "connected" or account.acquired == RENTED:
        raise ConflictError("Only an account that is connected and your own can be offered.")
    offer = await store.one(
        tx,
        Offer,
        store.ADD_OFFER,
        new_id(),
        who.org,
        account.id,
        wanted.kind,
        account.network,
        wanted.title,
        wanted.price.amount_minor,
        wanted.price.currency,
        wanted.rent_days,
        account.daily_limit,
    )
    if offer is None:
        raise ConflictError("It is offered already.")
    response.headers["Location"] = f"/v1/bd-offers/{offer.id}"
    return _offer(offer, who)


@offers.get("", permission="accounts:read")
async def list_bd_offers(
    who: Who,
    tx: Tx,
    query: PageQuery,
    mine: Annotated[bool, Query(description="The organization's own, whatever became of them.")] = False,
    network: Annotated[str | None, Query(max_length=50)] = None,
    kind: Annotated[Kind | None, Query()] = None,
    sort: ByTime = "-created_at",
) -> Page[OfferOut]:
    """What is on the market, the newest first, or as `sort` says."""
    order = BY_TIME[sort]
    filters = {"seller_id": who.org if mine else None, "network": network, "kind": kind}
    found = await store.offers(tx, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([_offer(each, who) for each in found], sort, order)


@offers.get("/{offer_id}", permission="accounts:read")
async def read_bd_offer(offer_id: UUID, who: Who, tx: Tx) -> OfferOut:
    """One that is on the market, or the organization's own."""
    offer = await store.one(tx, Offer, store.OFFER, offer_id)
    if offer is None or (offer.state != "open" and offer.seller_id != who.org):
        raise NotFoundError("There is no such offer.")
    return _offer(offer, who)


@offers.delete("/{offer_id}", permission="accounts:write", status_code=204)
async def withdraw_bd_offer(offer_id: UUID, who: Who, tx: Tx) -> None:
    """Take one's own offer off the market."""
    if await store.one(tx, Offer, store.WITHDRAW, offer_id, who.org) is not None:
        return
    offer = await store.one(tx, Offer, store.OFFER, offer_id)
    if offer is None or offer.seller_id != who.org:
        raise NotFoundError("There is no such offer.")
    if offer.state != "withdrawn":
        raise ConflictError("Somebody is buying it, or has it.")


@offers.post("/{offer_id}/purchase", permission="billing:write", recent=PEOPLE, status_code=202)
async def purchase_bd_offer(
    offer_id: UUID, wanted: PurchaseIn, who: Who, tx: Tx, work: Work, response: Response
) -> PurchaseOut:
    """Buy or rent it: reserved at once, then paid, handed over and assigned; or given back, with the money."""
    offer = await store.one(tx, Offer, store.RESERVE, offer_id, new_id(), who.org)
    if offer is None:
        found = await store.one(tx, Offer, store.OFFER, offer_id)
        if found is None:
            raise NotFoundError("There is no such offer.")
        raise ConflictError("It is your own." if found.seller_id == who.org else "It is no longer to be had.")
    user_id = wanted.user_id or who.user_id
    purchase = await saga.reserve(tx, who.org, offer, user_id, work.cause)
    response.headers["Location"] = f"/v1/bd-purchases/{purchase.id}"
    return _purchase(purchase)


@purchases.get("", permission="billing:read")
async def list_bd_purchases(
    who: Who, tx: Tx, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[PurchaseOut]:
    """What was bought and rented, the newest first, or as `sort` says."""
    order = BY_TIME[sort]
    found = await store.purchases(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([_purchase(each) for each in found], sort, order)


@purchases.get("/{bd_purchase_id}", permission="billing:read")
async def read_bd_purchase(bd_purchase_id: UUID, who: Who, tx: Tx) -> PurchaseOut:
    """One of them."""
    found = await store.one(tx, Purchase, store.PURCHASE, who.org, bd_purchase_id)
    if found is None:
        raise NotFoundError("There is no such purchase.")
    return _purchase(found)


def _offer(offer: Offer, who: Principal) -> OfferOut:
    price = PriceOut(amount_minor=offer.price_minor, currency=offer.currency)
    shown = {name: getattr(offer, name) for name in OfferOut.model_fields if name not in ("price", "mine")}
    return OfferOut(**shown, price=price, mine=offer.seller_id == who.org)


def _purchase(purchase: Purchase) -> PurchaseOut:
    price = PriceOut(amount_minor=purchase.price_minor, currency=purchase.currency)
    shown = {name: getattr(purchase, name) for name in PurchaseOut.model_fields if name != "price"}
    return PurchaseOut(**shown, price=price)
