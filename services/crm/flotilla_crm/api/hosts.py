"""/v1/bookings/hosts: who can be booked, and when."""

import zoneinfo
from functools import cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import (
    ForbiddenError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import Sort
from flotilla.security.principal import Principal
from flotilla.store.order import OLDEST, both
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from flotilla_crm.domain.availability import Host, Window
from flotilla_crm.store import hosts as store
from flotilla_crm.store import routing

booking_hosts = Routes("/v1/bookings/hosts", tag="bookings")
ORDERS: Final = both("id", OLDEST)


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise PydanticCustomError("unknown_zone", "Give an IANA time zone: Europe/Berlin.")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_known_zone)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5, examples=["09:00"])]


class HoursIn(Written):
    """A window of a weekday, on the host's clock."""

    weekday: Annotated[int, Field(ge=1, le=7, description="ISO 8601: 1 is Monday.")]
    opens: Clock
    closes: Clock | Literal["24:00"]

    @model_validator(mode="after")
    def _in_order(self) -> "HoursIn":
        if self.opens >= self.closes:
            raise PydanticCustomError("hours_order", "`closes` comes after `opens`; divide a night in two.")
        return self


class HostIn(Written):
    """When somebody can be booked."""

    time_zone: TimeZone
    hours: Annotated[list[HoursIn], Field(max_length=50)]
    length_minutes: Annotated[int, Field(ge=5, le=720)] = 30
    buffer_minutes: Annotated[int, Field(ge=0, le=720, description="The pause between two bookings.")] = 0
    notice_minutes: Annotated[
        int, Field(ge=0, le=525_600, description="How long before its beginning one must be made.")
    ] = 60
    active: bool = True

    @model_validator(mode="after")
    def _apart(self) -> "HostIn":
        last = (0, "")
        for each in sorted(self.hours, key=lambda each: (each.weekday, each.opens)):
            if (each.weekday, each.opens) < last:
                raise PydanticCustomError("hours_overlap", "Hours of one day do not overlap.")
            last = (each.weekday, each.closes)
        return self


class HoursOut(Shown):
    """A window of a weekday."""

    weekday: int
    opens: str
    closes: str


class HostOut(Shown):
    """A host; `id` is the person's."""

    id: UUID
    time_zone: str
    hours: list[HoursOut]
    length_minutes: int
    buffer_minutes: int
    notice_minutes: int
    active: bool


@booking_hosts.get("", permission="bookings:read", reach="free")
async def list_booking_hosts(
    tx: Tx, who: Who, query: PageQuery, sort: Sort[Literal["id", "-id"]] = "id"
) -> Page[HostOut]:
    """Everybody whose hours are known, active or not."""
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([HostOut.model_validate(host) for host in found], sort, order)


@booking_hosts.get("/{user_id}", permission="bookings:read", reach="free")
async def read_booking_host(user_id: UUID, tx: Tx, who: Who, response: Response) -> HostOut:
    """One host."""
    host = await store.read(tx, who.org, user_id)
    if host is None:
        raise NotFoundError("This person's hours are not known: set them with PUT.")
    set_etag(response, host.sequence)
    return HostOut.model_validate(host)


@booking_hosts.put("/{user_id}", permission="bookings:write", reach="free")
async def set_booking_host(
    user_id: UUID, body: HostIn, tx: Tx, who: Who, request: Request, response: Response
) -> HostOut:
    """Set when somebody can be booked; one's own, or with `bookings:configure` anybody's. Bookings made stay."""
    _check_may_set(who, user_id)
    host = await store.read(tx, who.org, user_id, lock=True)
    if host is None and await routing.cannot_take(tx, who.org, [user_id]):
        raise NotFoundError("Nobody with this id works here with a role that takes work.")
    check_if_match(request, host.sequence if host else 0)
    given: dict[str, Any] = body.model_dump(exclude={"hours"})
    hours = tuple(Window(**each.model_dump()) for each in body.hours)
    saved = await store.save(tx, who.org, Host(id=user_id, hours=hours, **given))
    set_etag(response, saved.sequence)
    shown = HostOut.model_validate(saved)
    note_change(HostOut.model_validate(host) if host else None, shown, user_id=user_id)
    return shown


def _check_may_set(who: Principal, user_id: UUID) -> None:
    if user_id != who.user_id and not who.may("bookings:configure"):
        raise ForbiddenError("Another person's hours take the permission `bookings:configure`.")
