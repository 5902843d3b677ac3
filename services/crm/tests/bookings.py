"""What the tests of bookings share: hosts with hours every day, and others who answer crm's wishes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.events.bookings import BookingRequested
from flotilla.events.integrations import (
    CalendarEventCreated,
    CalendarEventDeleted,
    CalendarEventDeleteRequested,
    CalendarEventRequested,
    IntegrationConnected,
)
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.crm.tests.conftest import Colleague, received

Json = dict[str, Any]
ALWAYS = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]
LATER = "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'booking_saga'"


def tomorrow(hours: int = 0, minutes: int = 0) -> datetime:
    """A moment of the day after tomorrow."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    return day + timedelta(hours=hours, minutes=minutes)


def shown(moment: datetime) -> str:
    """As HTTP writes it."""
    return moment.isoformat().replace("+00:00", "Z")


async def a_host(crm: Harness, org: UUID, colleague: Colleague, **fields: Any) -> str:
    """Somebody who can be booked all day long, for an hour."""
    host = str(await colleague())
    body = {"time_zone": "UTC", "hours": ALWAYS, "length_minutes": 60, "notice_minutes": 0, **fields}
    answer = await crm.client(org).put(f"/v1/bookings/hosts/{host}", body)
    assert answer.status == 200, answer.body
    return host


async def a_contact(crm: Harness, org: UUID) -> str:
    """Somebody who is on no channel."""
    made = await crm.client(org).post("/v1/contacts", {"name": "Zoë Groß", "email": "zoe@example.org"})
    return str(made.json()["id"])


async def a_customer(crm: Harness, org: UUID) -> str:
    """Somebody who has written, and can be written to."""
    message: MessageReceived = received(new_id())
    await crm.publish(message, org=org)

    async def known() -> str | None:
        items = (await crm.client(org).get("/v1/contacts")).json()["items"]
        return str(items[0]["id"]) if items else None

    found = await eventually(known, what="the customer is known")
    assert found is not None
    return found


async def connect_calendar(crm: Harness, org: UUID, host: str) -> UUID:
    """The host's calendar, as integrations tells of it: its id."""
    connected = IntegrationConnected(
        account_id=new_id(),
        connector="caldav",
        name="Work",
        state="connected",
        kind="calendar",
        user_id=UUID(host),
    )
    await crm.publish(connected, org=org, sequence=1)

    async def known() -> bool:
        async with crm.app.db.transaction(org) as tx:
            return bool(
                await tx.fetchval("SELECT count(*) FROM calendars WHERE id = $1", connected.account_id)
            )

    await eventually(known, what="the calendar is known")
    return connected.account_id


async def post(crm: Harness, org: UUID, contact: str, starts_at: datetime, *hosts: str, **fields: Any) -> Any:
    """Ask for a booking over HTTP: the answer."""
    body = {"contact_id": contact, "starts_at": shown(starts_at), "host_ids": list(hosts), **fields}
    return await crm.client(org).post("/v1/bookings", body)


async def booked(crm: Harness, org: UUID, contact: str, starts_at: datetime, *hosts: str) -> Json:
    """A booking that was taken on."""
    answer = await post(crm, org, contact, starts_at, *hosts)
    assert answer.status == 201, answer.body
    booking: Json = answer.json()
    return booking


async def becomes(crm: Harness, org: UUID, booking: Json, state: str) -> Json:
    """The booking, once it is in that state."""

    async def there() -> Json | None:
        found: Json = (await crm.client(org).get(f"/v1/bookings/{booking['id']}")).json()
        return found if found["state"] == state and not found["moving"] else None

    found = await eventually(there, what=f"the booking is {state}")
    assert found is not None
    return found


async def sagas(crm: Harness, org: UUID, booking: Json) -> list[Json]:
    """Its sagas, the newest first."""
    found: list[Json] = (await crm.client(org).get(f"/v1/sagas/crm?subject_id={booking['id']}")).json()[
        "items"
    ]
    return found


async def saga_becomes(crm: Harness, org: UUID, booking: Json, state: str, place: int = 0) -> Json:
    """One of its sagas, once it is in that state."""

    async def there() -> Json | None:
        saga = (await sagas(crm, org, booking))[place]
        return saga if saga["state"] == state else None

    found = await eventually(there, what=f"the saga is {state}")
    assert found is not None
    return found


async def heard(crm: Harness, org: UUID, type_: type[Event], where: Any = lambda _: True) -> Received[Any]:
    """The first of these that the service said."""
    return await crm.spy.expect(type_, lambda event: event.org == org and where(event.data))


async def answer(crm: Harness, wish: Received[Any], fact: Event) -> None:
    """The fact that answers a wish, carrying its request."""
    await crm.publish(fact, org=wish.org, cause=wish.cause)


def created(wish: CalendarEventRequested) -> CalendarEventCreated:
    """As integrations answers."""
    return CalendarEventCreated(
        event_id=wish.request_id,
        booking_id=wish.booking_id,
        account_id=wish.account_id,
        external_id="47",
        starts_at=wish.starts_at,
        ends_at=wish.ends_at,
    )


def deleted(wish: CalendarEventDeleteRequested) -> CalendarEventDeleted:
    """As integrations answers."""
    return CalendarEventDeleted(event_id=wish.cancels, request_id=wish.request_id, reason=wish.reason)


async def wish(
    crm: Harness, org: UUID, contact: str, starts_at: datetime, *hosts: str, first_free: bool = False
) -> BookingRequested:
    """Ask for a booking as another service does."""
    wanted = BookingRequested(
        request_id=new_id(),
        contact_id=UUID(contact),
        host_ids=[UUID(host) for host in hosts],
        starts_at=starts_at,
        first_free=first_free,
        title="Demo",
    )
    cause = replace(Cause.fresh("service:automation"), request_id=wanted.request_id)
    await crm.publish(wanted, org=org, sequence=1, cause=cause)
    return wanted
