"""Organizations and the companies they deal with, as auth and crm tell of them."""

from collections.abc import Sequence

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.auth import Organization, OrganizationCreated, OrganizationUpdated
from flotilla.events.crm import Company, CompanyCreated, CompanyUpdated
from flotilla.store.postgres import Transaction

from flotilla_billing.store import issuers


@projection(OrganizationCreated, OrganizationUpdated, lane="organizations", tables=("organizations",))
async def keep_organizations(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Know who issues invoices, and what day it is there."""
    await issuers.keep_organizations(tx, batch)


@projection(CompanyCreated, CompanyUpdated, lane="companies", tables=("companies",))
async def keep_companies(tx: Transaction, batch: Sequence[Received[Company]]) -> None:
    """Know companies that may be sent an invoice."""
    companies = [(event.org, event.data.company_id, event.data.name, event.sequence) for event in batch]
    await issuers.keep_companies(tx, companies)
    await tx.arrived("company", [event.data.company_id for event in batch])
