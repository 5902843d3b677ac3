"""What an invoice charges for, and what that comes to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from flotilla_billing.domain.money import CURRENCIES, LARGEST_AMOUNT, decimal_of, rounded

MOST_LINES: Final = 100
MOST_TEXT_BYTES: Final = 30_000
"""Of all descriptions together: an event has at most 64 KiB."""
LONGEST_DESCRIPTION: Final = 500
LARGEST_QUANTITY: Final = Decimal(10**9)
QUANTITY_DECIMALS: Final = 6
RATE_DECIMALS: Final = 3


class InvalidInvoiceError(ValueError):
    """It cannot be issued as it is; the words are for whoever asked, `pointer` says where."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(reason)
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Line:
    """What is charged for."""

    description: str
    quantity: Decimal
    unit_price: int
    """In minor units; negative for a discount."""
    tax_rate: Decimal
    """In percent."""

    @property
    def net(self) -> int:
        """Without tax, in minor units."""
        return rounded(self.quantity * self.unit_price)


@dataclass(frozen=True, slots=True)
class TaxPart:
    """What one rate applies to, and what it comes to."""

    rate: Decimal
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums, in minor units; `total` is `net + tax`."""

    parts: tuple[TaxPart, ...]

    @property
    def net(self) -> int:
        """Without tax."""
        return sum(part.net for part in self.parts)

    @property
    def tax(self) -> int:
        """Of all rates."""
        return sum(part.tax for part in self.parts)

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.net + self.tax


def totals(lines: Sequence[Line]) -> Totals:
    """What the lines come to, rate by rate."""
    nets: defaultdict[Decimal, int] = defaultdict(int)
    for line in lines:
        nets[line.tax_rate.normalize()] += line.net
    return Totals(tuple(TaxPart(rate, net, rounded(net * rate / 100)) for rate, net in sorted(nets.items())))


def check(currency: str, lines: Sequence[Line]) -> Totals:
    """What they come to; InvalidInvoiceError where that can be no invoice."""
    if currency not in CURRENCIES:
        raise InvalidInvoiceError("/currency", f"{currency!r} is no currency of ISO 4217.")
    if not lines:
        raise InvalidInvoiceError("/lines", "An invoice has at least one line.")
    if len(lines) > MOST_LINES:
        raise InvalidInvoiceError("/lines", f"An invoice has at most {MOST_LINES} lines.")
    if sum(len(line.description.encode()) for line in lines) > MOST_TEXT_BYTES:
        raise InvalidInvoiceError("/lines", "The descriptions are too long together.")
    found = totals(lines)
    if max(abs(part.net) + abs(part.tax) for part in found.parts) > LARGEST_AMOUNT:
        raise InvalidInvoiceError("/lines", "The amount is too large.")
    if found.total <= 0:
        raise InvalidInvoiceError("/lines", "An invoice asks for more than nothing.")
    return found


def line_of(
    place: int,
    *,
    description: str,
    quantity: str,
    unit_price: int,
    tax_rate: str | None,
    default_rate: Decimal,
) -> Line:
    """A checked line; InvalidInvoiceError says what is wrong with it. `place`: from 0."""
    pointer = f"/lines/{place}"
    words = " ".join(description.split())
    if not words or len(words) > LONGEST_DESCRIPTION or not words.isprintable():
        raise InvalidInvoiceError(
            f"{pointer}/description",
            f"Line {place + 1}: describe it in 1 to {LONGEST_DESCRIPTION} characters.",
        )
    if abs(unit_price) > LARGEST_AMOUNT:
        raise InvalidInvoiceError(f"{pointer}/unit_price", f"Line {place + 1}: the price is too large.")
    amount = _number(place, "quantity", quantity, QUANTITY_DECIMALS)
    if not 0 < amount <= LARGEST_QUANTITY:
        raise InvalidInvoiceError(
            f"{pointer}/quantity", f"Line {place + 1}: the quantity is more than nothing."
        )
    rate = default_rate if tax_rate is None else _number(place, "tax_rate", tax_rate, RATE_DECIMALS)
    if not 0 <= rate <= 100:
        raise InvalidInvoiceError(
            f"{pointer}/tax_rate", f"Line {place + 1}: a rate of tax is 0 to 100 percent."
        )
    return Line(words, amount, unit_price, rate)


def _number(place: int, field: str, text: str, decimals: int) -> Decimal:
    try:
        return decimal_of(text, decimals=decimals)
    except ValueError as error:
        raise InvalidInvoiceError(f"/lines/{place}/{field}", f"Line {place + 1}, {field}: {error}.") from None


def stored(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """As they are kept: JSON, numbers as text."""
    return [
        {
            "description": line.description,
            "quantity": str(line.quantity),
            "unit_price": line.unit_price,
            "tax_rate": str(line.tax_rate),
        }
        for line in lines
    ]


def restored(kept: Sequence[Mapping[str, Any]]) -> tuple[Line, ...]:
    """The lines that were kept."""
    return tuple(
        Line(line["description"], Decimal(line["quantity"]), line["unit_price"], Decimal(line["tax_rate"]))
        for line in kept
    )
