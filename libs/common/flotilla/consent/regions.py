"""Where somebody lives, as far as the law of marketing asks: by their time zone, or by a country."""

from functools import cache
from importlib import resources
from typing import Final

_TABLE: Final = "zone.tab"
"""IANA's: a country, a place and a zone a line."""
# fmt: off
_UNDER_EU: Final = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    # The EEA, parts of members overseas, and Switzerland, which asks for consent before as well: UWG art. 3 (1) o.
    "IS", "LI", "NO", "AX", "GF", "GP", "MQ", "RE", "YT", "MF", "CH",
)
# fmt: on
_REGIONS: Final = {
    **dict.fromkeys(_UNDER_EU, "eu"),
    **dict.fromkeys(("GB", "GG", "JE", "IM", "GI"), "uk"),
    "CA": "ca",
    **dict.fromkeys(("US", "PR", "GU", "VI", "AS", "MP"), "us"),
}
_OLD_NAMES: Final = {"GB": "uk", "Canada": "ca", "US": "us", "Eire": "eu", "Poland": "eu", "Portugal": "eu"}
"""Before the first slash."""


def region_of_country(code: str | None) -> str | None:
    """`eu`, `uk`, `ca` or `us` by a country's code (ISO 3166-1 alpha-2); None where no rule of its own holds there."""
    return None if code is None else _REGIONS.get(code)


def region_of_zone(time_zone: str | None) -> str | None:
    """The same by an IANA time zone; None as well where the zone does not say."""
    if time_zone is None:
        return None
    return _zones().get(time_zone) or _OLD_NAMES.get(time_zone.partition("/")[0])


@cache
def _zones() -> dict[str, str]:
    lines = resources.files("tzdata.zoneinfo").joinpath(_TABLE).read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {zone: _REGIONS[country] for country, _, zone, *_ in rows if country in _REGIONS}
