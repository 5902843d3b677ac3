"""/v1/bookings."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query, Request, Response
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
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Shown, Written
from flotilla.http.pages import page
from flotilla.http.sorting import SORT, Several
from flotilla.problems import Problem
from flotilla.security.principal import Principal
from flotilla.security.reach import check_mine, possible_owners
from flotilla.store.order import BY_TIME, Order, both
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field

from flotilla_crm import booking as commands
from flotilla_crm.api.values import Moment, Title
from flotilla_crm.booking_saga import booking_saga
from flotilla_crm.domain.availability import Offer, free
from flotilla_crm.domain.bookings import DEFAULT_TITLE, MAX_TITLE, Booking, Refusal
from flotilla_crm.holding import Refused
from flotilla_crm.store import bookings as store
from flotilla_crm.store import hosts

bookings = Routes("/v1/bookings", tag="bookings")

Sorts = Annotated[Literal["starts_at", "-starts_at", "-created_at", "created_at"], Query(description=SORT)]
ORDERS: Final = {**both("starts_at", Order(("starts_at", "id"), (datetime, UUID))), **BY_TIME}
LONGEST_WINDOW = timedelta(days=31)
HostIds = Annotated[list[UUID], Field(max_length=50)]
BookingTitle = Annotated[Title, Field(max_length=MAX_TITLE)]


class BookingIn(Written):
    """A new booking."""

    contact_id: UUID
    starts_at: Annotated[Moment, Field(description="The beginning of a slot that /v1/bookings/slots offers.")]
    host_ids: HostIds = Field(
        default_factory=list,
        description="One, or several of whom the one who was booked longest ago is taken; none: any.",
    )
    title: BookingTitle = DEFAULT_TITLE


class MoveIn(Written):
    """Where a booking shall be moved."""

    starts_at: Moment
    host_ids: HostIds = Field(default_factory=list, description="None named: its own host.")


class CancelIn(Written):
    """Why it will not take place."""

    reason: Title = "cancelled"


class SlotOut(Shown):
    """A time that can be had, and with whom."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime
    host_ids: list[UUID]


class BookingOut(Shown):
    """A booking. While it is `held` or being moved, /v1/sagas/crm?subject_id=<id> says what it waits for."""

    id: UUID
    host_id: UUID
    contact_id: UUID | None
    title: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    time_zone: str
    state: Literal["held", "confirmed", "failed", "cancelled"]
    reason: str | None
    moving: bool
    created_at: AwareDatetime


@bookings.get("/slots", permission="bookings:read", reach="free")
async def list_booking_slots(
    tx: Tx,
    who: Who,
    query: PageQuery,
    begin: Annotated[Moment, Query(alias="from")],
    end: Annotated[Moment, Query(alias="to", description="At most 31 days after `from`.")],
    host_id: Annotated[list[UUID] | None, Query(max_length=50)] = None,
) -> Page[SlotOut]:
    """What can be booked with any of these hosts, or with anybody where none is named; the earliest first."""
    if not begin < end <= begin + LONGEST_WINDOW:
        raise UnprocessableError(
            "Ask for at most 31 days.",
            errors=[{"parameter": "to", "detail": "`to` is up to 31 days after `from`"}],
        )
    after = query.after(datetime, datetime)
    known = (await hosts.bookable(tx, [who.org])).get(who.org, {})
    named = [known[id_] for id_ in host_id or known if id_ in known]
    (busy,) = await hosts.busy(tx, [(who.org, begin, end)])
    offers = free(named, busy, begin, end, await store.now(tx))
    rest = [offer for offer in offers if not after or [offer.starts_at, offer.ends_at] > after]
    shown = [SlotOut.model_validate(offer) for offer in rest[: query.limit + 1]]
    return page(shown, query.limit, key=lambda slot: (slot.starts_at, slot.ends_at))


@bookings.get("", permission="bookings:read", reach="rows")
async def list_bookings(
    tx: Tx,
    who: Who,
    query: PageQuery,
    host_id: UUID | None = None,
    contact_id: UUID | None = None,
    state: Several[Literal["held", "confirmed", "failed", "cancelled"]] = None,
    begin: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    sort: Sorts = "starts_at",
) -> Page[BookingOut]:
    """Those that begin from `from` on and before `to`, the earliest first or in the order of `sort`."""
    filters = {"host_id": host_id, "contact_id": contact_id, "state": state}
    order = ORDERS[sort]
    after = query.place(sort, order)
    found = await store.listing(tx, who.org, filters, (begin, end), order, after, query.limit + 1)
    return query.page([_shown(each) for each in found], sort, order)


@bookings.post("", permission="bookings:write", reach="rows", status_code=201)
async def create_booking(body: BookingIn, tx: Tx, who: Who, work: Work, response: Response) -> BookingOut:
    """Hold the slot at once and have it confirmed; where somebody was faster, the problem names `free_slots`."""
    wanted = commands.Wanted(
        org=who.org,
        booking_id=tx.app.new_id(),
        host_ids=tuple(body.host_ids) or possible_owners(who, "bookings:write"),
        starts_at=body.starts_at,
        contact_id=body.contact_id,
        title=body.title,
        cause=work.cause,
    )
    result = (await commands.book(tx, [wanted]))[wanted.booking_id]
    if isinstance(result, Refused):
        raise _problem(result)
    response.headers["Location"] = f"/v1/bookings/{result.id}"
    return await _read(tx, who.org, result.id, response)


@bookings.get("/{booking_id}", permission="bookings:read", reach="rows")
async def read_booking(booking_id: UUID, tx: Tx, who: Who, response: Response) -> BookingOut:
    """One booking."""
    return await _read(tx, who.org, booking_id, response)


@bookings.post("/{booking_id}/reschedule", permission="bookings:write", reach="rows")
async def reschedule_booking(
    booking_id: UUID, body: MoveIn, tx: Tx, who: Who, work: Work, request: Request, response: Response
) -> BookingOut:
    """Move a confirmed booking. Both times are held until the new one is sure; if that fails, it stays."""
    booking = await _in_turn(tx, who, booking_id)
    check_if_match(request, booking.sequence)
    result = await commands.reschedule(
        tx, who.org, booking, body.host_ids or [booking.host_id], body.starts_at, work.cause
    )
    if isinstance(result, Refused):
        raise _problem(result)
    return await _read(tx, who.org, booking_id, response)


@bookings.post("/{booking_id}/cancel", permission="bookings:write", reach="rows")
async def cancel_booking(
    booking_id: UUID,
    tx: Tx,
    who: Who,
    work: Work,
    request: Request,
    response: Response,
    body: CancelIn | None = None,
) -> BookingOut:
    """Free the slot; cancelling it again changes nothing."""
    booking = await _in_turn(tx, who, booking_id)
    check_if_match(request, booking.sequence)
    if booking.live:
        await commands.cancel(tx, who.org, booking, (body or CancelIn()).reason, work.cause)
    return await _read(tx, who.org, booking_id, response)


async def _in_turn(tx: Transaction, who: Principal, booking_id: UUID) -> Booking:
    """The booking, which they may change, held with its sagas, in the order in which answers hold them."""
    await store.take_turn(tx, booking_id)
    await booking_saga.hold(tx, who.org, booking_id)
    booking = _there(await store.read(tx, who.org, booking_id, lock=True))
    check_mine(who, "bookings:write", booking.host_id)
    return booking


async def _read(tx: Transaction, org: UUID, booking_id: UUID, response: Response) -> BookingOut:
    booking = _there(await store.read(tx, org, booking_id))
    set_etag(response, booking.sequence)
    return _shown(booking)


def _shown(booking: Booking) -> BookingOut:
    given: dict[str, Any] = {
        name: getattr(booking, name) for name in BookingOut.model_fields if name != "moving"
    }
    return BookingOut(**given, moving=booking.moving_to is not None)


def _there(booking: Booking | None) -> Booking:
    if booking is None:
        raise NotFoundError("There is no booking with this id.")
    return booking


def _problem(refused: Refused) -> Problem:
    """What the caller can do: choose another contact or host, or one of the slots that are free."""
    offers = [_offer(offer) for offer in refused.offers]
    if refused.why is Refusal.TAKEN:
        return ConflictError(
            "Somebody else has this slot: choose one of `free_slots`, or ask /v1/bookings/slots for more.",
            free_slots=offers,
        )
    pointer, detail = {
        Refusal.UNKNOWN_CONTACT: ("/contact_id", "There is no contact with this id."),
        Refusal.UNKNOWN_HOST: (
            "/host_ids",
            "Nobody of these can be booked: they have no hours, or are away.",
        ),
    }.get(refused.why, ("/starts_at", "This is not offered: choose one of `free_slots`."))
    return UnprocessableError(
        "It cannot be booked so.", errors=[{"pointer": pointer, "detail": detail}], free_slots=offers
    )


def _offer(offer: Offer) -> dict[str, Any]:
    return SlotOut.model_validate(offer).model_dump(mode="json")
