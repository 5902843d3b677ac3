"""Calls over connected telephones."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, UnprocessableError, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.ids import new_id
from flotilla.store.order import BY_CREATED
from pydantic import Field

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.voice import VOICE
from flotilla_integrations.connectors.calls import ask_to_place
from flotilla_integrations.domain import AccountState, identity_id
from flotilla_integrations.store import accounts
from flotilla_integrations.store import connectors as store

routes = Routes("/v1/calls", tag="calls")


class CallIn(Written):
    """Whom to call, and over which connected telephone."""

    account_id: UUID
    number: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", examples=["+493012345678"])]
    contact_id: UUID | None = None
    name: Annotated[str | None, Field(max_length=40, pattern=r"^[^\x00]*$")] = None
    assistant: Annotated[
        str | None,
        Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$", description="Who speaks, by the vendor's id."),
    ] = None


class CallOut(Shown):
    """A call."""

    id: UUID
    account_id: UUID
    external_id: str | None
    direction: Literal["inbound", "outbound"]
    state: Literal["requested", "placed", "completed", "failed", "unconfirmed"]
    contact_id: UUID | None
    number: str | None
    ended_reason: str | None
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: int | None
    cost_usd: Decimal | None
    summary: str | None
    transcript: str | None
    recording_url: str | None
    created_at: datetime
    sequence: int


@routes.post("", permission="messages:send", status_code=202)
async def place_call(wanted: CallIn, who: Who, tx: Tx, response: Response) -> CallOut:
    """Have an assistant call somebody: once, whatever becomes of the vendor's answer."""
    account = await accounts.one(tx, accounts.READ, who.org, wanted.account_id)
    usable = account is not None and account.state is AccountState.CONNECTED
    if account is None or not usable or ADAPTERS[account.connector].kind != VOICE:
        raise UnprocessableError(
            "There is no such connected telephone.",
            errors=[{"pointer": "/account_id", "detail": "unknown or not connected"}],
        )
    identity = identity_id(account.connector, account.id, wanted.number)
    row = await tx.fetchrow(
        store.ADD_CALL,
        who.org,
        new_id(),
        account.id,
        wanted.contact_id,
        identity,
        wanted.number,
        wanted.assistant,
    )
    assert row is not None
    ask_to_place(tx, row, wanted.name)
    response.headers["Location"] = f"/v1/calls/{row['id']}"
    return CallOut(**row)


@routes.get("", permission="conversations:read")
async def list_calls(
    who: Who,
    tx: Tx,
    query: PageQuery,
    contact_id: Annotated[UUID | None, Query()] = None,
    sort: ByTime = "-created_at",
) -> Page[CallOut]:
    """The newest first, or as `sort` says."""
    order = BY_CREATED[sort]
    rows = await store.calls(tx, who.org, contact_id, order, query.place(sort, order), query.limit + 1)
    return query.page([CallOut(**row) for row in rows], sort, order)


@routes.get("/{call_id}", permission="conversations:read")
async def read_call(call_id: UUID, who: Who, tx: Tx) -> CallOut:
    """One call, with all that was said."""
    row = await tx.fetchrow(store.CALL, who.org, call_id)
    if row is None:
        raise NotFoundError("There is no such call.")
    return CallOut(**row)
