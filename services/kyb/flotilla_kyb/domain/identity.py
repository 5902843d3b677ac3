"""Who a counterparty says it is: identifiers in their one written form, their check digits right.

A register is asked only about what could exist: a mistyped number is the caller's to correct, not a finding.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import pycountry
import stdnum
import stdnum.eu.vat
import stdnum.lei
from stdnum.at import businessid
from stdnum.ch import uid
from stdnum.dk import cvr
from stdnum.ee import registrikood
from stdnum.exceptions import ValidationError
from stdnum.fi import ytunnus
from stdnum.fr import siren
from stdnum.no import orgnr
from stdnum.se import orgnr as se_orgnr
from stdnum.ua import edrpou

VIES: Final = "vies"
GLEIF: Final = "gleif"
_SPACES: Final = re.compile(r"\s+")
_LEI: Final = re.compile(r"[A-Z0-9]{18}[0-9]{2}")
_PLAIN: Final = re.compile(r"[A-Z0-9]{4,20}")
_REGISTRY: Final = re.compile(r"[\w][\w .,/()-]{0,59}")
_COUNTRIES: Final = frozenset(country.alpha_2 for country in pycountry.countries)
_REGISTRIES: Final[Mapping[str, Callable[[str], str]]] = {
    "AT": businessid.validate,
    "CH": uid.validate,
    "DK": cvr.validate,
    "EE": registrikood.validate,
    "FI": ytunnus.validate,
    "FR": siren.validate,
    "NO": orgnr.validate,
    "SE": se_orgnr.validate,
    "UA": edrpou.validate,
}
"""Registry numbers that have a check digit or a fixed form; others are taken as they are written."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What registers are asked about."""

    name: str
    country: str
    """ISO 3166-1 alpha-2."""
    vat_number: str | None = None
    """With the prefix of its member state where it is one of the EU's."""
    lei: str | None = None
    registry_number: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain."""
        return asdict(self)


class IdentityError(ValueError):
    """Some identifiers cannot be right; `errors` is {field: what to correct}."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


def identify(values: Mapping[str, str | None]) -> Identity:
    """The identity in its written form; IdentityError names every field that is wrong, not only the first."""
    errors: dict[str, str] = {}
    written: dict[str, str | None] = {}
    country = (values.get("country") or "").strip().upper()
    checks: dict[str, Callable[[str], str]] = {
        "name": _name,
        "country": _country,
        "vat_number": lambda number: _vat_number(number, country),
        "lei": _lei,
        "registry_number": lambda number: _registry_number(number, country),
    }
    if country not in _COUNTRIES:  # what a number of it looks like cannot be said
        del checks["vat_number"], checks["registry_number"]
    for field, check in checks.items():
        value = values.get(field)
        if value is None or (not value.strip() and field not in ("name", "country")):
            written[field] = None
            continue
        try:
            written[field] = check(value)
        except ValueError as error:
            errors[field] = str(error)
    if errors:
        raise IdentityError(errors)
    return Identity(**written)  # type: ignore[arg-type]  # name and country are never None past the checks


def coverage(identity: Identity) -> tuple[str, ...]:
    """The registers that know something of it."""
    return tuple(_covering(identity))


def vies_number(identity: Identity) -> tuple[str, str]:
    """The VAT number as VIES asks for it: (member state, number)."""
    assert identity.vat_number is not None
    return identity.vat_number[:2], identity.vat_number[2:]


def plain(number: str) -> str:
    """A registry number as two writings of it are compared: letters and digits, no leading zeros."""
    return re.sub(r"[\W_]", "", number).upper().lstrip("0")


def _covering(identity: Identity) -> Iterator[str]:
    if identity.vat_number is not None and _is_european(identity.vat_number):
        yield VIES
    if identity.lei is not None:
        yield GLEIF


def _is_european(number: str) -> bool:
    """Whether VIES knows its prefix: an EU member state's, Northern Ireland's, Greece's own."""
    prefix = number[:2].lower()
    return prefix == "el" or (prefix in stdnum.eu.vat.MEMBER_STATES and prefix != "gr")


def _name(value: str) -> str:
    name = _SPACES.sub(" ", unicodedata.normalize("NFC", value)).strip()
    if not name:
        raise ValueError("Write the name.")
    if len(name) > 200 or any(unicodedata.category(sign) == "Cc" for sign in name):
        raise ValueError("At most 200 characters, on one line.")
    return name


def _country(value: str) -> str:
    country = value.strip().upper()
    if country not in _COUNTRIES:
        raise ValueError("Write the country's code of two letters (ISO 3166-1), as DE.")
    return country


def _vat_number(value: str, country: str) -> str:
    """A European number keeps its prefix, and gets that of its country where it was written without."""
    number = stdnum.eu.vat.compact(value) if _is_european(value.strip().upper()) else value
    for candidate in (number, country + value):
        if _is_european(candidate.strip().upper()) or candidate[:2].upper() == "GR":
            try:
                valid = str(stdnum.eu.vat.validate(candidate))
                return "EL" + valid[2:] if valid.startswith("GR") else valid
            except ValidationError:
                continue
    if country == "GR" or _is_european(country):
        raise ValueError(f"This is no VAT number of {country}: its check digits or its length are wrong.")
    national = stdnum.get_cc_module(country.lower(), "vat")
    try:
        return str(national.validate(value)) if national else _unknown_form(value)
    except ValidationError as error:
        raise ValueError(f"This is no VAT number of {country}: {error}") from None


def _unknown_form(value: str) -> str:
    number = re.sub(r"[\s.-]", "", value).upper()
    if not _PLAIN.fullmatch(number):
        raise ValueError("A VAT number has 4 to 20 letters and digits.")
    return number


def _lei(value: str) -> str:
    """ISO 17442: 20 characters, check digits by ISO 7064 MOD 97-10."""
    try:
        lei = str(stdnum.lei.validate(value))
    except ValidationError:
        lei = ""
    if not _LEI.fullmatch(lei):
        raise ValueError("This is no LEI: its 20 characters do not match their check digits.")
    return lei


def _registry_number(value: str, country: str) -> str:
    validate = _REGISTRIES.get(country)
    if validate is None:
        number = _SPACES.sub(" ", value).strip()
        if not _REGISTRY.fullmatch(number):
            raise ValueError("A registry number has at most 60 letters, digits, spaces and . , / ( ) -.")
        return number
    try:
        return str(validate(value))
    except ValidationError:
        raise ValueError(f"This is no registry number of {country}: its check digit is wrong.") from None
