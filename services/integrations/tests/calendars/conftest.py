"""A person with a calendar on Radicale, and somebody who books them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.events.integrations import (
    AttendeeProfile,
    CalendarEventDeleteRequested,
    CalendarEventRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.radicale import PASSWORD, USER, Radicale

from services.integrations.tests.calendars.proxy import Proxy

E = TypeVar("E", bound=Event)
NINE = datetime(2030, 5, 6, 9, tzinfo=UTC)


@pytest.fixture(scope="session")
async def radicale(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Radicale]:
    """A CalDAV server."""
    async with Radicale.running(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
async def proxy(radicale: Radicale) -> AsyncIterator[Proxy]:
    """A way to it that loses answers."""
    async with Proxy.running(radicale) as between:
        yield between


@dataclass
class Host:
    """A person who can be booked, and what is asked of their calendar."""

    integrations: Harness
    org: UUID
    radicale: Radicale
    client: Client
    calendar: str
    account: dict[str, Any] = field(default_factory=dict)

    @property
    def account_id(self) -> UUID:
        return UUID(self.account["id"])

    def wish(self, **given: Any) -> CalendarEventRequested:
        """A demo at nine."""
        wanted: dict[str, Any] = {
            "request_id": new_id(),
            "booking_id": new_id(),
            "account_id": self.account_id,
            "contact_id": None,
            "title": "Demo; with, commas",
            "starts_at": NINE,
            "ends_at": NINE + timedelta(minutes=30),
            "time_zone": "Europe/Berlin",
            "attendees": [AttendeeProfile(name="Zoë Groß", email="zoe@example.org")],
        }
        return CalendarEventRequested(**wanted | given)

    async def ask(self, wish: CalendarEventRequested | CalendarEventDeleteRequested) -> None:
        """As the saga of bookings does."""
        cause = Cause(correlation_id=new_id(), request_id=wish.request_id)
        await self.integrations.publish(wish, org=self.org, cause=cause)

    async def take_back(self, wish: CalendarEventRequested) -> CalendarEventDeleteRequested:
        """The undo of a wish."""
        undo = CalendarEventDeleteRequested(
            request_id=new_id(), cancels=wish.request_id, reason="Changed my mind"
        )
        await self.ask(undo)
        return undo

    async def hears(self, type_: type[E], request_id: UUID) -> Received[E]:
        """The answer to a request."""
        return await self.integrations.spy.expect(
            type_, lambda event: event.org == self.org and event.envelope.requestid == request_id
        )

    async def entries(self, holding: str = "") -> list[str]:
        """What stands in the calendar."""
        return [each for each in await self.radicale.entries(self.calendar) if holding in each]


NewHost = Callable[..., Awaitable[Host]]


@pytest.fixture
def new_host(integrations: Harness, org: UUID, radicale: Radicale) -> NewHost:
    """`await new_host()`: somebody whose calendar is connected, on a service of the test's where one is given."""

    async def connect(service: Harness = integrations, **settings: str) -> Host:
        calendar = await radicale.make(f"c{new_id().hex}")
        client = service.client(org, "team_member")
        host = Host(service, org, radicale, client, calendar)
        wanted = {
            "name": "My calendar",
            "settings": {"url": calendar} | settings,
            "credentials": {"username": USER, "password": PASSWORD},
        }
        made = await client.post("/v1/calendars", wanted)
        assert made.status == 201, made.body

        async def asked() -> dict[str, Any]:
            account: dict[str, Any] = (await client.get(f"/v1/calendars/{made.json()['id']}")).json()
            assert account["state"] != "connecting"
            return account

        host.account = await eventually(asked)
        return host

    return connect


@pytest.fixture
async def host(new_host: NewHost) -> Host:
    """One of them."""
    return await new_host()
