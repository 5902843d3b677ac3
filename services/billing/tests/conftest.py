"""One billing on stores of its own for all tests; each test has an organization of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import aiohttp
import msgspec
import pytest
from aiohttp import web
from flotilla.events.auth import OrganizationCreated
from flotilla.events.base import Money
from flotilla.events.billing import InvoiceLine, InvoiceRequested, SubscriptionCreated, SubscriptionRequested
from flotilla.events.crm import CompanyCreated
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.go_programs import built
from flotilla.testing.plugin import StartService
from flotilla.testing.ports import free_port


@pytest.fixture(scope="session")
async def billing(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("billing") as harness:
        yield harness


@dataclass(frozen=True)
class Firm:
    """An organization that billing knows, and its customer."""

    org: UUID
    client: Client
    company_id: UUID


def organization(org: UUID, **fields: Any) -> OrganizationCreated:
    """An organization in Kyiv."""
    given: dict[str, Any] = {
        "organization_id": org,
        "name": "Northwind",
        "slug": f"northwind-{org}",
        "locale": "en",
        "time_zone": "Europe/Kyiv",
        "currency": "EUR",
        "region": "eu",
        "state": "trial",
    }
    return OrganizationCreated(**given | fields)


Found = Callable[..., Awaitable[Firm]]


@pytest.fixture
def found(billing: Harness) -> Found:
    """`await found(locale="uk")`: an organization with a company for a customer."""

    async def make(**fields: Any) -> Firm:
        org, company = new_id(), new_id()
        await billing.publish(organization(org, **fields), org=org, sequence=1)
        await billing.publish(SubscriptionRequested(request_id=new_id()), org=org, sequence=1)
        customer = CompanyCreated(
            company_id=company, name="Ганна і партнери", domain=None, owner_id=None, tags=[]
        )
        await billing.publish(customer, org=org, sequence=1)

        async def known() -> bool:
            async with billing.app.db.transaction(org) as tx:
                return bool(await tx.fetchval("SELECT count(*) FROM companies WHERE id = $1", company))

        await eventually(known, what="the customer is known")
        await billing.spy.expect(SubscriptionCreated, lambda event: event.org == org)
        return Firm(org, billing.client(org), company)

    return make


@pytest.fixture
async def firm(found: Found) -> Firm:
    """An organization with a customer."""
    return await found()


def requested(firm: Firm, **fields: Any) -> InvoiceRequested:
    """A wish for an invoice of 119.00."""
    line = InvoiceLine(
        description="Consulting",
        quantity="2",
        unit_price=Money(amount_minor=5000, currency="EUR"),
        tax_rate="19",
    )
    given: dict[str, Any] = {
        "request_id": new_id(),
        "contact_id": None,
        "company_id": firm.company_id,
        "deal_id": new_id(),
        "currency": "EUR",
        "lines": [line],
    }
    return InvoiceRequested(**given | fields)


def draft(**fields: Any) -> dict[str, Any]:
    """The body of a draft of 119.00."""
    line = {
        "description": "Consulting",
        "quantity": "2",
        "unit_price": {"amount_minor": 5000, "currency": "EUR"},
        "tax_rate": "19",
    }
    return {"customer": {"name": "Acme"}, "currency": "EUR", "lines": [line], **fields}


async def issued(client: Client, **fields: Any) -> dict[str, Any]:
    """An issued invoice of 119.00."""
    made = await client.post("/v1/invoices", draft(**fields))
    assert made.status == 201, made.body
    answer = await client.post(f"/v1/invoices/{made.json()['id']}/issue")
    assert answer.status == 200, answer.body
    invoice: dict[str, Any] = answer.json()
    return invoice


@dataclass(frozen=True)
class StripeCall:
    """A request that Stripe got."""

    path: str
    form: dict[str, str]
    idempotency_key: str | None


@dataclass
class StripeMock:
    """Stripe's own mock server, which checks every parameter and keeps nothing; what it is asked is noted here."""

    inner: str
    session: aiohttp.ClientSession
    address: str = ""
    calls: list[StripeCall] = field(default_factory=list)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What an answer says instead of what it always says, by the path that it answers."""

    async def take(self, request: web.Request) -> web.Response:
        """Note it, and pass it on."""
        body = await request.read()
        form = dict(parse_qsl(body.decode()))
        key = request.headers.get("Idempotency-Key")
        self.calls.append(StripeCall(request.path, form, key))
        kept = ("Authorization", "Content-Type", "Idempotency-Key", "Stripe-Version")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        async with self.session.request(
            request.method, self.inner + request.path_qs, data=body, headers=headers
        ) as answer:
            content = await answer.read()
            if answer.status == 200 and request.path in self.said:
                content = msgspec.json.encode(msgspec.json.decode(content) | self.said[request.path])
            return web.Response(body=content, status=answer.status, content_type="application/json")

    def to(self, path: str, **form: str) -> list[StripeCall]:
        """Those to a path that said this."""
        return [call for call in self.calls if call.path == path and form.items() <= call.form.items()]


@pytest.fixture(scope="session")
async def stripe_mock() -> AsyncIterator[StripeMock]:
    """On a free port; built once with Go, skipped where there is none."""
    program = await asyncio.to_thread(built, "stripe-mock", "github.com/stripe/stripe-mock@v0.203.0")
    port = free_port()
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(program), "-http-addr", f"127.0.0.1:{port}", stdout=quiet, stderr=quiet
    )
    session = aiohttp.ClientSession()
    mock = StripeMock(f"http://127.0.0.1:{port}", session)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", mock.take)
    runner = web.AppRunner(app, access_log=None)
    try:
        await eventually(lambda: _listens(port), what="stripe-mock listens")
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        mock.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield mock
    finally:
        await runner.cleanup()
        await session.close()
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


PLATFORM_SECRET = "whsec_platform_of_the_tests"


@pytest.fixture(scope="session")
async def selling(start_service: StartService, stripe_mock: StripeMock) -> AsyncIterator[Harness]:
    """A billing that sells its plans through Stripe."""
    async with start_service(
        "billing",
        stripe_secret_key="sk_test_123",
        stripe_webhook_secret=PLATFORM_SECRET,
        stripe_address=stripe_mock.address,
    ) as harness:
        yield harness
