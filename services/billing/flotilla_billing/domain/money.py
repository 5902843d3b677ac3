"""Money: whole minor units of one currency, and how fractions of them are rounded.

A line's net is quantity times unit price, rounded half away from zero to the minor unit. Tax is reckoned on the sum of
the nets of one rate and rounded once for each rate (EN 16931, BR-CO-17), so it does not depend on how goods are split
into lines of that rate nor on their order. Totals are sums of what was rounded: nothing is rounded twice.
"""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

LARGEST_AMOUNT: Final = 10**15
"""In minor units: what is added up stays well within 64 bits."""

_WITHOUT_FRACTION: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_OF_A_THOUSAND: Final = "BHD IQD JOD KWD LYD OMR TND"
_OF_A_HUNDRED: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP"
    " CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES"
    " KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK"
    " NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB"
    " TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
CURRENCIES: Final[dict[str, int]] = {
    **dict.fromkeys(_WITHOUT_FRACTION.split(), 0),
    **dict.fromkeys(_OF_A_HUNDRED.split(), 2),
    **dict.fromkeys(_OF_A_THOUSAND.split(), 3),
}
"""ISO 4217: the currencies in use, and how many decimals their minor unit is."""


def rounded(amount: Decimal) -> int:
    """To a whole minor unit; half goes away from zero."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def decimal_of(text: str, *, decimals: int) -> Decimal:
    """A plain decimal number (`2`, `0.5`) with at most `decimals` places; ValueError for anything else."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("it is no decimal number") from None
    if not text.isascii() or text != text.strip() or "e" in text.lower() or "_" in text:
        raise ValueError("write it as a plain decimal number")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):  # NaN, Infinity
        raise ValueError("it is no decimal number")
    if -exponent > decimals:
        raise ValueError(f"it has at most {decimals} decimals")
    return number


def major(amount_minor: int, currency: str) -> str:
    """`1234.50` of 123450 EUR."""
    return str(Decimal(amount_minor).scaleb(-CURRENCIES[currency]))
