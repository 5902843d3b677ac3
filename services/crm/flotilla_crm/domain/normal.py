"""Names, e-mail addresses, phone numbers and domains in the one form in which they are kept and compared.

Each function raises ValueError in words that tell the person who typed it what to write instead.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

Normaliser = Callable[[str], str]
MAX_NAME: Final = 200
_SPACES: Final = re.compile(r"\s+")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def text(value: str, *, limit: int) -> str:
    """Several lines, trimmed, without control characters, 1 to `limit` bytes of UTF-8."""
    trimmed = value.strip()
    if not trimmed:
        raise ValueError("Write something.")
    if any(unicodedata.category(sign) == "Cc" and sign not in "\n\r\t" for sign in trimmed):
        raise ValueError("Leave out control characters.")
    if len(trimmed.encode()) > limit:
        raise ValueError(f"At most {limit} bytes.")
    return trimmed


def name(value: str) -> str:
    """One line, trimmed, single spaces, composed (Unicode NFC)."""
    trimmed = _SPACES.sub(" ", unicodedata.normalize("NFC", value)).strip()
    if len(trimmed) > MAX_NAME:
        raise ValueError(f"At most {MAX_NAME} characters.")
    return text(trimmed, limit=MAX_NAME * 4)


def email(value: str) -> str:
    """Lower case throughout: no provider tells mailboxes apart by case, people do not either."""
    try:
        return validate_email(value.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None


def phone(value: str) -> str:
    """E.164. Written with the country's code, as nothing says from which country it was meant."""
    try:
        parsed = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        raise ValueError("Write it with the country's code, as +49 30 123456.") from None
    if not phonenumbers.is_valid_number(parsed):
        raise ValueError("No telephone has this number.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def domain(value: str) -> str:
    """A host name in lower case, in ASCII (IDNA)."""
    try:
        host = value.strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    labels = host.split(".")
    if len(labels) < 2 or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("Write it as example.com.")
    return host


def language(value: str) -> str:
    """A language tag's form (BCP 47): `de`, `pt-BR`."""
    subtags = value.strip().replace("_", "-").split("-")
    fits = all(part.isascii() and part.isalnum() and len(part) <= 8 for part in subtags)
    if not fits or not subtags[0].isalpha() or not 2 <= len(subtags[0]) <= 3:
        raise ValueError("Write a language tag, as de or pt-BR.")
    tail = (part.upper() if len(part) == 2 and part.isalpha() else part for part in subtags[1:])
    return "-".join([subtags[0].lower(), *tail])


def folded(value: str) -> str:
    """What names are searched by: without marks, case and repeated spaces (`Zoë  GROẞ` → `zoe gross`)."""
    decomposed = unicodedata.normalize("NFKD", value)
    plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return _SPACES.sub(" ", plain.casefold()).strip()
