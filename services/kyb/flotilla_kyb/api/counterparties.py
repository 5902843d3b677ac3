"""/v1/counterparties."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import ConflictError, Page, PageQuery, Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName, Several
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime

from flotilla_kyb import commands
from flotilla_kyb.api.values import LAST_ID, Level, Monitored, Number, State, Text, identified, there
from flotilla_kyb.domain.counterparty import Monitoring
from flotilla_kyb.domain.identity import Identity
from flotilla_kyb.store import counterparties as store

counterparties = Routes("/v1/counterparties", tag="counterparties")
ORDERS = {**BY_TIME, **BY_NAME}


class CounterpartyIn(Written):
    """A new counterparty. Numbers are checked by their check digits before any register is asked."""

    name: Text
    country: Number
    vat_number: Number | None = None
    lei: Number | None = None
    registry_number: Number | None = None
    monitoring: Monitored = "none"


class CounterpartyPatch(Patch):
    """What shall be different; a field that is left out stays."""

    name: Text = ""
    country: Number = ""
    vat_number: Number | None = None
    lei: Number | None = None
    registry_number: Number | None = None
    monitoring: Monitored = "none"


class CounterpartyOut(Shown):
    """A counterparty, and what is thought of it since `checked_at`."""

    id: UUID
    name: str
    country: str
    vat_number: str | None
    lei: str | None
    registry_number: str | None
    monitoring: Monitored
    state: State
    risk_score: int
    risk_level: Level
    checked_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


@counterparties.get("", permission="counterparties:read")
async def list_counterparties(
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Several[State] = None,
    risk_level: Several[Level] = None,
    country: Annotated[str | None, Query(pattern="^[A-Z]{2}$")] = None,
    vat_number: Annotated[str | None, Query(max_length=60)] = None,
    lei: Annotated[str | None, Query(max_length=20)] = None,
    sort: ByTimeOrName = "-created_at",
) -> Page[CounterpartyOut]:
    """The newest first, or in the order of `sort`."""
    filters = {
        "state": state,
        "risk_level": risk_level,
        "country": country,
        "vat_number": vat_number,
        "lei": lei,
    }
    order = ORDERS[sort]
    after = query.place(sort, order)
    found = await store.list_counterparties(tx, who.org, filters, order, after, query.limit + 1)
    return query.page([CounterpartyOut.model_validate(each) for each in found], sort, order)


@counterparties.post("", permission="counterparties:write", status_code=201, feature="kyb")
async def create_counterparty(body: CounterpartyIn, tx: Tx, who: Who, response: Response) -> CounterpartyOut:
    """Know a business; the registers are asked at once."""
    identity = identified(body.model_dump(exclude={"monitoring"}))
    await _check_free(tx, who.org, LAST_ID, identity)
    counterparty = await commands.create_counterparty(tx, who, identity, body.monitoring)
    set_etag(response, counterparty.sequence)
    response.headers["Location"] = f"/v1/counterparties/{counterparty.id}"
    return CounterpartyOut.model_validate(counterparty)


@counterparties.get("/{counterparty_id}", permission="counterparties:read")
async def read_counterparty(counterparty_id: UUID, tx: Tx, who: Who, response: Response) -> CounterpartyOut:
    """One counterparty."""
    counterparty = await there(tx, who.org, counterparty_id)
    set_etag(response, counterparty.sequence)
    return CounterpartyOut.model_validate(counterparty)


@counterparties.patch("/{counterparty_id}", permission="counterparties:write")
async def change_counterparty(
    counterparty_id: UUID, body: CounterpartyPatch, tx: Tx, who: Who, request: Request, response: Response
) -> CounterpartyOut:
    """Change some fields; with If-Match, only the state that was read. Another identity is checked at once."""
    counterparty = await there(tx, who.org, counterparty_id, lock=True)
    check_if_match(request, counterparty.sequence)
    wanted = body.model_dump(include=body.model_fields_set)
    monitoring = wanted.pop("monitoring", counterparty.monitoring)
    if wanted:
        identity = identified(counterparty.identity.as_dict() | wanted)
        await _check_free(tx, who.org, counterparty.id, identity)
        wanted = identity.as_dict()
    wanted["monitoring"] = Monitoring(monitoring)
    counterparty = await commands.change_counterparty(tx, who, counterparty, wanted)
    set_etag(response, counterparty.sequence)
    return CounterpartyOut.model_validate(counterparty)


async def _check_free(tx: Transaction, org: UUID, counterparty_id: UUID, identity: Identity) -> None:
    """A 409 problem where another counterparty has one of the numbers."""
    taken = await store.with_number(tx, org, counterparty_id, identity.vat_number, identity.lei)
    if taken is not None:
        other, field = taken
        raise ConflictError(
            "Another counterparty has this number.",
            errors=[{"pointer": f"/{field}", "detail": f"It belongs to /v1/counterparties/{other}."}],
        )
