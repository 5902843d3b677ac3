"""Amounts of money and dates in figures, as they are written in five languages."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

_CURRENCIES: Final = {
    "EUR": r"€|eur(?:os?)?\b|євро|евро",
    "USD": r"\$|usd\b|us[- ]?dollars?\b|dollars?\b|dollar\b|долар\w*|доллар\w*",
    "GBP": r"£|gbp\b|pounds?\b|pfund\b|фунт\w*",
    "CHF": r"chf\b|franken\b|francs suisses",
    "UAH": r"₴|uah\b|грн\b|гривень|гривен|гривні|гривны",
    "RUB": r"₽|rub\b|руб(?:лей|ля|\.)?|рублів",
    "PLN": r"pln\b|zł",
    "KZT": r"₸|kzt\b|тенге",
}
_CURRENCY: Final = "|".join(f"(?P<{{side}}{code}>{words})" for code, words in _CURRENCIES.items())
_THOUSANDS: Final = r"k\b|к\b|tsd\.?|tausend|thousand|mille\b|тис\.?(?:яч[аіу]?)?|тыс\.?(?:яч[аиу]?)?"
_MILLIONS: Final = r"m\b|mio\.?|mln\.?|million(?:s|en)?|млн\.?|мільйон\w*|миллион\w*"
_SIGNS: Final = (
    *(
        "€",
        "eur",
        "євро",
        "евро",
        "$",
        "usd",
        "dollar",
        "долар",
        "доллар",
        "£",
        "gbp",
        "pound",
        "pfund",
        "фунт",
    ),
    *(
        "chf",
        "franken",
        "francs suisses",
        "₴",
        "uah",
        "грн",
        "грив",
        "₽",
        "rub",
        "руб",
        "pln",
        "zł",
        "₸",
        "kzt",
    ),
    "тенге",
)
"""One of these stands in every text with a currency, in lower case: to look for them is quicker than the pattern."""
_ANY_CURRENCY: Final = re.compile("|".join(_CURRENCIES.values()), re.IGNORECASE)
_AMOUNT: Final = re.compile(
    rf"(?:(?:{_CURRENCY.replace('{side}', 'before_')})\s?)?"
    r"(?<![\w.,])(?P<number>\d{1,3}(?:[ \u00a0\u202f.,']\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?)"
    rf"\s?(?:(?P<thousands>{_THOUSANDS})|(?P<millions>{_MILLIONS}))?"
    rf"\s?(?:{_CURRENCY.replace('{side}', 'after_')})?",
    re.IGNORECASE,
)
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE: Final = re.compile(
    rf"(?<![\d.,/])(?!24/7)(?:\d{{4}}-\d\d-\d\d|{_DAY}[./]{_MONTH}[./]\d{{2,4}}|{_DAY}/{_MONTH}|{_DAY}\.{_MONTH}\."
    r"|(?:[0-2]\d|3[01])\.(?:0\d|1[0-2]))(?![\d/])"
    r"|\b[QT][1-4]\b|\b[1-4]\. Quartal\b|\bKW ?\d{1,2}\b|\b[1-4][-\s]?(?:й|м|ому|ом)?\s?квартал\w*"
)
_MAY_BE_DATE: Final = re.compile(r"\d[./-]|[QT][1-4]|KW|\d[-\s]?(?:й|м|ому|ом)?\s?квартал")
"""Stands in every text with a date, and is found sooner."""
_DIGIT: Final = re.compile(r"\d")
_MOST: Final = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Amount:
    """Money said at `text[start:end]`; in hundredths, which all these currencies have."""

    minor: int
    currency: str
    start: int
    end: int


def amounts_in(text: str) -> list[Amount]:
    """Every number with a currency beside it."""
    folded = text.casefold()
    if not any(sign in folded for sign in _SIGNS) or not _ANY_CURRENCY.search(text):
        return []
    found = []
    for match in _AMOUNT.finditer(text):
        currency = _currency(match)
        value = _value(match)
        if currency and value is not None:
            found.append(Amount(int(value * 100), currency, match.start(), match.end()))
    return found


def dates_in(text: str) -> list[tuple[int, int]]:
    """Where a date, a quarter or a calendar week is written in figures."""
    if not _DIGIT.search(text) or not _MAY_BE_DATE.search(text):
        return []
    return [match.span() for match in _DATE.finditer(text)]


def _currency(match: re.Match[str]) -> str | None:
    for side in ("before_", "after_"):
        for code in _CURRENCIES:
            if match[side + code]:
                return code
    return None


def _value(match: re.Match[str]) -> Decimal | None:
    try:
        value = Decimal(_point(match["number"]))
    except InvalidOperation:
        return None
    value *= 1_000 if match["thousands"] else 1_000_000 if match["millions"] else 1
    return value if 0 < value < _MOST else None


def _point(number: str) -> str:
    """Digits with a decimal point: a last part of one or two digits is a fraction, any other a group."""
    digits = re.sub(r"[ \u00a0\u202f']", "", number)
    fraction = re.search(r"[.,](\d{1,2})$", digits)
    whole = re.sub(r"[.,]", "", digits[: fraction.start()] if fraction else digits)
    return f"{whole}.{fraction[1]}" if fraction else whole
