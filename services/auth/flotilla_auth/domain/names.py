"""E-mail addresses and slugs."""

import re
import unicodedata
from typing import Final

from email_validator import EmailNotValidError, validate_email

SLUG_LENGTH: Final = 48


def address(text: str) -> str:
    """An e-mail address in its one form, lower case; ValueError where it is none."""
    try:
        # Names under .test are for trying things out (RFC 6761 section 6.2).
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()


def slug(name: str) -> str:
    """A name as it stands in addresses: `Café Zürich` → `cafe-zurich`; `org` where nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-") or "org"
