"""In which language a page is shown to somebody who is not signed in."""

from collections.abc import Container
from typing import Final

FALLBACK: Final = "en"


def spoken(accept_language: str, known: Container[str]) -> str:
    """The first language of the header's list (RFC 9110, section 12.5.4) that is known, else English.

    Programs list languages by their weight, so that the weights themselves need not be read.
    """
    for part in accept_language.split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in known:
            return language
    return FALLBACK
