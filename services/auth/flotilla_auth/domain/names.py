"""E-mail addresses, domains and slugs."""

import re
import unicodedata
from typing import Final

import idna
from email_validator import EmailNotValidError, validate_email
from publicsuffixlist import PublicSuffixList

SLUG_LENGTH: Final = 48
_TOP_LEVEL: Final = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
"""RFC 3696, section 2: not of digits alone, so no address of numbers ends like a domain."""
_SHARED: Final = PublicSuffixList(accept_unknown=False)
"""The Public Suffix List, both sections, as the package brings it: nothing is fetched, an upgrade renews it. Of labels
that it does not know, as those for trying things out (RFC 6761), nothing is shared but the last."""


def address(text: str) -> str:
    """An e-mail address in its one form, lower case; ValueError where it is none."""
    try:
        # Names under .test are for trying things out (RFC 6761 section 6.2).
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()


def domain(text: str) -> str:
    """A domain as DNS has it (IDNA 2008, mapped as UTS 46 says), without a dot at its end: `Bücher.example.` →
    `xn--bcher-kva.example`.

    ValueError where it is none (one label, an address of numbers, a URL), and where others register under it
    (`co.uk`, `github.io`), which makes it nobody's own.
    """
    try:
        name = idna.encode(text.strip(), uts46=True, std3_rules=True).decode("ascii").removesuffix(".")
    except UnicodeError:
        name = ""
    *labels, last = name.split(".")
    if not labels or not _TOP_LEVEL.fullmatch(last):
        raise ValueError("is no domain, as `kite.example`")
    if _SHARED.is_public(name):
        raise ValueError("is one under which others register: write your own under it, as `kite.co.uk`")
    return name


def slug(name: str) -> str:
    """A name as it stands in addresses: `Café Zürich` → `cafe-zurich`; `org` where nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-") or "org"
