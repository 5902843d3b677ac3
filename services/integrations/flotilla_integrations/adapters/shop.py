"""What connectors of shops bring: orders, alike for all of them (INT-11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from flotilla.events.base import Money
from flotilla.events.connectors import BuyerProfile, OrderLine
from flotilla.problems import UnprocessableError

SHOP: Final = "shop"
"""The kind of these connectors."""
MOST_LINES: Final = 100
LONGEST: Final = 300
NO_MINOR: Final = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
THOUSANDTHS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


class OrderState(StrEnum):
    """How an order stands, whichever shop it is of."""

    PENDING = "pending"
    PAID = "paid"
    PARTLY_FULFILLED = "partly_fulfilled"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it stands in the shop."""

    external_id: str
    number: str
    state: OrderState
    vendor_state: str
    total: Money
    lines: tuple[OrderLine, ...]
    buyer_id: str
    """The shop's own id of the buyer, or their address where they are a guest."""
    buyer: BuyerProfile
    placed_at: datetime
    updated_at: datetime
    delivery_id: str
    """The shop's own id of the webhook: the same when it is delivered again."""


def money(amount: str, currency: str) -> Money:
    """A decimal amount in the currency's smallest unit (ISO 4217); a 422 problem for what is none."""
    code = currency.upper()
    places = 0 if code in NO_MINOR else 3 if code in THOUSANDTHS else 2
    try:
        minor = (Decimal(amount) * 10**places).to_integral_value(ROUND_HALF_UP)
        return Money(amount_minor=int(minor), currency=code)
    except (InvalidOperation, ValueError, OverflowError):
        raise UnprocessableError(f"{amount!r} is no amount.") from None


def lines(found: Sequence[tuple[str, str | None, int, str]], currency: str) -> tuple[OrderLine, ...]:
    """Lines of (title, sku, quantity, price of one)."""
    return tuple(
        OrderLine(
            title=title[:LONGEST],
            sku=(sku or "")[:LONGEST] or None,
            quantity=quantity,
            unit_price=money(price, currency),
        )
        for title, sku, quantity, price in found[:MOST_LINES]
    )
