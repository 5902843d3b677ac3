"""Values as callers write them and as they are shown, parsed at the edge."""

from typing import Annotated, Any, Final
from uuid import UUID

from flotilla.events.base import Money
from flotilla.http import ConflictError, UnprocessableError
from flotilla.http.bodies import Written
from pydantic import AfterValidator, BaseModel, Field

from flotilla_billing.domain.invoices import NotPossibleError
from flotilla_billing.domain.lines import InvalidInvoiceError
from flotilla_billing.domain.money import CURRENCIES, LARGEST_AMOUNT

FIRST_ID: Final = UUID(int=0)
LAST_ID: Final = UUID(int=(1 << 128) - 1)


def _printable(text: str) -> str:
    if not all(sign.isprintable() or sign == "\n" for sign in text):
        raise ValueError("Leave out control characters.")
    return text.strip()


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("It is no currency of ISO 4217.")
    return code


Text = Annotated[str, AfterValidator(_printable)]
Currency = Annotated[str, AfterValidator(_currency), Field(examples=["EUR"])]
Decimals = Annotated[str, Field(max_length=40, pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["19", "2.5"])]


class MoneyIn(Written):
    """An amount, in the currency's smallest unit."""

    amount_minor: int = Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT)
    currency: Currency


class MoneyOut(BaseModel):
    """An amount, in the currency's smallest unit."""

    amount_minor: int
    currency: str

    @classmethod
    def of(cls, money: Money) -> "MoneyOut":
        """Of the domain's."""
        return cls(amount_minor=money.amount_minor, currency=money.currency)


def invalid(error: InvalidInvoiceError) -> UnprocessableError:
    """The problem that points at what does not fit."""
    return UnprocessableError(str(error), errors=[{"pointer": error.pointer, "detail": str(error)}])


def conflict(error: NotPossibleError) -> ConflictError:
    """The problem of an invoice in another state."""
    return ConflictError(str(error))


def rows_as(model: type[BaseModel], rows: list[Any]) -> list[Any]:
    """Each row, shown."""
    return [model.model_validate(dict(row)) for row in rows]
