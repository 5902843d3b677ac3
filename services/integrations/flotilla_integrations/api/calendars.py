"""People's own calendars: whoever can be booked connects theirs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.integrations import IntegrationDisconnected
from flotilla.http import (
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    check_if_match,
)
from flotilla.http.bodies import Written
from flotilla.http.sorting import ByTimeOrName
from pydantic import Field

from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.calendar import CALENDAR
from flotilla_integrations.api.accounts import ORDERS, connect_new, shown
from flotilla_integrations.api.schemas import AccountOut, Name
from flotilla_integrations.connecting import ask_to_disconnect
from flotilla_integrations.domain import Account
from flotilla_integrations.events import say_account
from flotilla_integrations.store import accounts

routes = Routes("/v1/calendars", tag="calendars")


class CalendarIn(Written):
    """What connects a calendar; `GET /v1/connectors` says what a connector's settings and credentials are."""

    connector: Annotated[str, Field(max_length=50)] = "caldav"
    name: Name
    settings: dict[str, Any] = Field(default_factory=dict)
    credentials: dict[str, Any] = Field(description="Kept sealed, and never shown again.")


@routes.post("", permission="bookings:write", reach="free", status_code=201)
async def add_calendar(
    wanted: CalendarIn, app: CurrentApp, who: Who, tx: Tx, response: Response
) -> AccountOut:
    """Connect one's own calendar: bookings will stand in it, and what is changed there is noticed."""
    kind = ADAPTERS.get(wanted.connector)
    if kind is None or kind.kind != CALENDAR:
        raise UnprocessableError(
            f"There is no connector of calendars {wanted.connector!r}: see GET /v1/connectors.",
            errors=[{"pointer": "/connector", "detail": "unknown"}],
        )
    account = await connect_new(
        app, tx, who, wanted.connector, wanted.name, wanted.settings, wanted.credentials, own=True
    )
    response.headers["Location"] = f"/v1/calendars/{account.id}"
    return shown(app, account, response)


@routes.get("", permission="bookings:read", reach="free")
async def list_calendars(
    app: CurrentApp, who: Who, tx: Tx, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[AccountOut]:
    """One's own calendars, the newest first, or by name."""
    order = ORDERS[sort]
    after = query.place(sort, order)
    found = await accounts.listing(tx, who.org, who.user_id, order, after, query.limit + 1)
    return query.page([shown(app, each) for each in found], sort, order)


@routes.get("/{calendar_id}", permission="bookings:read", reach="free")
async def read_calendar(
    calendar_id: UUID, app: CurrentApp, who: Who, tx: Tx, response: Response
) -> AccountOut:
    """One of one's own; its ETag guards changes."""
    account = await accounts.one(tx, accounts.READ, who.org, calendar_id)
    return shown(app, _own(account, who.user_id), response)


@routes.delete("/{calendar_id}", permission="bookings:write", reach="free", status_code=204)
async def remove_calendar(calendar_id: UUID, who: Who, tx: Tx, request: Request) -> None:
    """Disconnect it. What stands in it stays there; its credentials are forgotten."""
    before = _own(await accounts.one(tx, accounts.LOCK, who.org, calendar_id), who.user_id)
    check_if_match(request, before.sequence)
    after = await accounts.one(tx, accounts.DISCONNECT, who.org, calendar_id)
    if after is not None:
        await say_account(tx, after, IntegrationDisconnected)
        ask_to_disconnect(tx, after)


def _own(account: Account | None, user_id: UUID | None) -> Account:
    if account is None or account.user_id is None or account.user_id != user_id:
        raise NotFoundError("You have no such calendar.")
    return account
