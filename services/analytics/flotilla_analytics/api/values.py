"""Values as callers write them, parsed at the edge."""

import unicodedata
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, PlainSerializer

EARLIEST: Final = date(2000, 1, 1)
LATEST: Final = date(2100, 1, 1)


def _one_line(text: str) -> str:
    line = unicodedata.normalize("NFC", text).strip()
    if not line:
        raise ValueError("write something")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in line):
        raise ValueError("write it on one line, without control characters")
    return line


def _words(text: str) -> str:
    found = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in found if sign not in "\n\t"):
        raise ValueError("write it without control characters")
    return found


def _plain(value: Decimal) -> str:
    return f"{value:f}"


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Words = Annotated[str, Field(max_length=2000), AfterValidator(_words)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", examples=["parcels_sent"])]
Number = Annotated[
    Decimal,
    Field(max_digits=24, decimal_places=6, allow_inf_nan=False),
    PlainSerializer(_plain, return_type=str),
]
"""A decimal number; written as a string, so that no reader rounds it."""
Day = Annotated[date, Field(ge=EARLIEST, lt=LATEST)]
MeasureName = Annotated[str, Field(max_length=100, pattern=r"^[a-z][a-z0-9_:]*$", examples=["deals_won"])]
_Name = Annotated[str, Field(max_length=50, pattern=r"^[a-z_]+$")]
Dimensions = Annotated[list[_Name], Field(max_length=3)]
Filters = Annotated[
    dict[_Name, Annotated[str, Field(max_length=100), AfterValidator(_one_line)]], Field(max_length=5)
]


def shown_decimal(value: Any) -> str | None:
    """A number as answers have it: never in powers of ten."""
    return None if value is None else f"{Decimal(value):f}"
