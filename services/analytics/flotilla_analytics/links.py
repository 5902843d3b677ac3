"""Links that prove themselves: signed, so that nobody can make one, or lead it elsewhere.

A token is `kind | organization | id | Unix seconds of its end (0: none) | MAC`, base64url (flotilla.security.signed).
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from flotilla.security import signed

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
    keys: signed.Keys

    def address(self, path: str, token: Token) -> str:
        """`path` at the gateway, with the token at its end."""
        body = _BODY.pack(token.kind.encode(), token.org.bytes, token.id.bytes, token.ends)
        written = signed.write(self.keys, body)
        return f"{self.base}{path}/{written}"

    def read(self, written: str, kind: Kind) -> Token | None:
        """The token; None where it was not made here, or for something else."""
        body = signed.read(self.keys, written, _BODY.size)
        if body is None:
            return None
        found, org, id_, ends = _BODY.unpack(body)
        if found.decode() != kind:
            return None
        return Token(kind, UUID(bytes=org), UUID(bytes=id_), ends)
