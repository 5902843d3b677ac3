"""Links that prove themselves: signed, so that nobody can make one, or lead it elsewhere.

A token is `kind | organization | id | Unix seconds of its end (0: none) | MAC`, base64url.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

MAC_BYTES: Final = 16
"""HMAC-SHA-256, cut to 128 bits (RFC 2104 section 5 allows half)."""
PURPOSE: Final = "analytics links"
_BODY: Final = struct.Struct("!c16s16sQ")


class Kind(StrEnum):
    """What a link is for."""

    FILE = "f"
    SURVEY = "s"


@dataclass(frozen=True, slots=True)
class Token:
    """One link."""

    kind: Kind
    org: UUID
    id: UUID
    ends: int = 0
    """Unix seconds; 0: what it leads to knows."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes addresses, and reads tokens."""

    base: str
    """Where people reach the gateway."""
    key: bytes

    def address(self, path: str, token: Token) -> str:
        """`path` at the gateway, with the token at its end."""
        body = _BODY.pack(token.kind.encode(), token.org.bytes, token.id.bytes, token.ends)
        written = base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()
        return f"{self.base}{path}/{written}"

    def read(self, written: str, kind: Kind) -> Token | None:
        """The token; None where it was not made here, or for something else."""
        try:
            raw = base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        if len(body) < _BODY.size or not hmac.compare_digest(mac, self._mac(body)):
            return None
        found, org, id_, ends = _BODY.unpack(body)
        if found.decode() != kind:
            return None
        return Token(kind, UUID(bytes=org), UUID(bytes=id_), ends)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self.key, body, hashlib.sha256)[:MAC_BYTES]
