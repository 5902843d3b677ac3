"""Issuing invoices: drafts become invoices with numbers, in the transaction that tells of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flotilla.bus.envelope import Received
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_billing.domain.invoices import Invoice, InvoiceState, Party
from flotilla_billing.domain.lines import InvalidInvoiceError, Line, check
from flotilla_billing.store import invoices as store

AUDIENCE: Final = "org"


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """How an organization issues its invoices."""

    party: Party
    series: str
    due_in_days: int
    tax_rate: Decimal
    note: str
    time_zone: str
    locale: str

    @classmethod
    def of(cls, row: Mapping[str, object]) -> "Issuer":
        """Of a row of store.issuers."""
        party = Party(
            name=str(row["legal_name"]),
            address=str(row["address"]),
            tax_id=str(row["tax_id"]),
            email=str(row["email"]),
        )
        return cls(
            party=party,
            series=str(row["series"]),
            due_in_days=int(str(row["due_in_days"])),
            tax_rate=Decimal(str(row["tax_rate"])),
            note=str(row["note"]),
            time_zone=str(row["time_zone"]),
            locale=str(row["locale"]),
        )

    def today(self, now: datetime) -> date:
        """The date where the organization is; an unknown zone counts as UTC."""
        try:
            return now.astimezone(ZoneInfo(self.time_zone)).date()
        except (ZoneInfoNotFoundError, ValueError):
            return now.astimezone(UTC).date()


def drafted(
    issuer: Issuer, *, org: UUID, id_: UUID, customer: Party, currency: str, lines: Sequence[Line],
    due_in_days: int | None = None, note: str | None = None, request_id: UUID | None = None,
    contact_id: UUID | None = None, company_id: UUID | None = None, deal_id: UUID | None = None,
) -> Invoice:  # fmt: skip
    """A draft that could be issued; InvalidInvoiceError where it could not."""
    check(currency, lines)
    if not customer.name:
        raise InvalidInvoiceError("/customer/name", "The customer has no name to put on an invoice.")
    return Invoice(
        organization_id=org,
        id=id_,
        series=issuer.series,
        request_id=request_id,
        contact_id=contact_id,
        company_id=company_id,
        deal_id=deal_id,
        customer=customer,
        issuer=issuer.party,
        currency=currency,
        lines=tuple(lines),
        note=issuer.note if note is None else note,
        locale=issuer.locale,
        due_in_days=issuer.due_in_days if due_in_days is None else due_in_days,
        created_at=datetime.now(UTC),
    )


def check_issuer(issuer: Issuer) -> None:
    """InvalidInvoiceError where nobody knows who would be issuing."""
    if not issuer.party.name:
        raise InvalidInvoiceError("/issuer", "Say who issues invoices: PUT /v1/invoice-settings.")


async def numbered(
    tx: Transaction, drafts: Sequence[Invoice], issuers: Mapping[UUID, Issuer]
) -> list[Invoice]:
    """The drafts with their dates and the next numbers of their series, not written yet."""
    now = datetime.now(UTC)
    dated = [_dated(draft, issuers[draft.organization_id], now) for draft in drafts]
    following = await store.allocate(tx, Counter(map(_series, dated)))
    found = []
    for draft in dated:
        key = _series(draft)
        found.append(replace(draft, number=following[key], state=InvoiceState.ISSUED))
        following[key] += 1
    return found


def _dated(draft: Invoice, issuer: Issuer, now: datetime) -> Invoice:
    today = issuer.today(now)
    due_on = today + timedelta(days=draft.due_in_days)
    return replace(draft, issuer=issuer.party, year=today.year, issued_on=today, due_on=due_on)


def _series(invoice: Invoice) -> tuple[UUID, str, int]:
    assert invoice.year is not None
    return invoice.organization_id, invoice.series, invoice.year


def tell_issued(tx: Transaction, invoice: Invoice, cause: Received[Any] | None = None) -> None:
    """Tell of it; told again it is the same event."""
    assert invoice.issued_at is not None
    tx.emit(
        invoice.issued(),
        org=invoice.organization_id,
        sequence=invoice.sequence,
        cause=cause,
        audience=AUDIENCE,
        event_id=derived_id(invoice.issued_at, "invoice.issued", str(invoice.id)),
    )
