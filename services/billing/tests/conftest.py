"""One billing on stores of its own for all tests; each test has an organization of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import OrganizationCreated
from flotilla.events.base import Money
from flotilla.events.billing import InvoiceLine, InvoiceRequested, SubscriptionCreated
from flotilla.events.crm import CompanyCreated
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService


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
        customer = CompanyCreated(
            company_id=company, name="Ганна і партнери", domain=None, owner_id=None, tags=[]
        )
        await billing.publish(customer, org=org, sequence=1)

        async def known() -> bool:
            async with billing.app.db.transaction(org) as tx:
                return bool(await tx.fetchval("SELECT count(*) FROM customers WHERE id = $1", company))

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
