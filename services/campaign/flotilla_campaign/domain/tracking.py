"""Links that know which message they stand in: signed, so that nobody can make one, or lead it elsewhere.

A token is `kind | organization | message | place of the link | MAC`, base64url (flotilla.security.signed). It holds no
address: where a link leads stands in the row of its message.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from flotilla.security import signed

MOST_LINKS: Final = 100
_BODY: Final = struct.Struct("!c16s16sB")
URL: Final = re.compile(r"https?://[^\s<>\"'\x00-\x1f]{1,2000}", re.IGNORECASE)
CLOSING: Final = ".,;:!?)]}»“”’*_"
"""What a sentence puts behind a link, and is none of it."""


class Kind(StrEnum):
    """What a link is for."""

    OPEN = "o"
    CLICK = "c"
    UNSUBSCRIBE = "u"


@dataclass(frozen=True, slots=True)
class Token:
    """One link of one message."""

    kind: Kind
    org: UUID
    message_id: UUID
    link: int = 0
    """Its place among the message's links."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes addresses, and reads tokens."""

    base: str
    """Where people reach the gateway."""
    keys: signed.Keys

    def address(self, token: Token) -> str:
        """Where the link leads."""
        body = _BODY.pack(token.kind.encode(), token.org.bytes, token.message_id.bytes, token.link)
        written = signed.write(self.keys, body)
        return f"{self.base}/v1/track/{token.kind}/{written}" + (".gif" if token.kind is Kind.OPEN else "")

    def unsubscribe(self, org: UUID, message_id: UUID) -> str:
        """The link with which the person who got this message wants no more."""
        return self.address(Token(Kind.UNSUBSCRIBE, org, message_id))

    def read(self, written: str, kind: Kind) -> Token | None:
        """The token; none where it was not made here, or for something else."""
        body = signed.read(self.keys, written, _BODY.size)
        if body is None:
            return None
        found, org, message_id, link = _BODY.unpack(body)
        if found.decode() != kind:
            return None
        return Token(kind, UUID(bytes=org), UUID(bytes=message_id), link)


def with_links(text: str, address: Callable[[int], str], spare: str) -> tuple[str, list[str]]:
    """The text with its links led through `address(place)`, and where they lead; those that begin so are spared."""
    links: list[str] = []

    def lead(found: re.Match[str]) -> str:
        whole = found[0]
        url = whole.rstrip(CLOSING)
        if url.startswith(spare) or (url not in links and len(links) == MOST_LINKS):
            return whole
        if url not in links:
            links.append(url)
        return address(links.index(url)) + whole[len(url) :]

    return URL.sub(lead, text), links
