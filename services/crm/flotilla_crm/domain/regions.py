"""Where a telephone number is of, as far as the law of marketing asks."""

import phonenumbers
from flotilla.consent.regions import region_of_country


def region_of_number(phone: str | None) -> str | None:
    """`eu`, `uk`, `ca` or `us` by a number's country; None where it has none, or none with a rule of its own.

    Countries that share a code (+1, +44) are told apart by what follows it.
    """
    if phone is None:
        return None
    try:
        parsed = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return None
    return region_of_country(phonenumbers.region_code_for_number(parsed))
