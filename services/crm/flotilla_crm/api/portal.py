"""/v1/portal/bookings: when a client of the organization meets whom of it."""

from typing import Literal
from uuid import UUID

from flotilla.http import Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown
from flotilla.http.sorting import Sort
from pydantic import AwareDatetime

from flotilla_crm.api.bookings import ORDERS
from flotilla_crm.store import bookings as store

portal = Routes("/v1/portal/bookings", tag="portal")


class ClientBookingOut(Shown):
    """A booking as whoever booked sees it; `held` is not sure yet."""

    id: UUID
    title: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    time_zone: str
    state: Literal["held", "confirmed", "cancelled"]


@portal.get("", permission="profile:read")
async def list_own_bookings(
    tx: Tx, who: Who, query: PageQuery, sort: Sort[Literal["-starts_at", "starts_at"]] = "-starts_at"
) -> Page[ClientBookingOut]:
    """The caller's own, the latest first: those of the contact that they were invited as; nobody else has any."""
    order = ORDERS[sort]
    found = await store.of_client(tx, who.org, who.user_id, order, query.place(sort, order), query.limit + 1)
    return query.page([ClientBookingOut.model_validate(each) for each in found], sort, order)
