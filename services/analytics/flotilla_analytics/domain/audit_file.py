"""The audit log as a file that proves itself: JSON lines, read by `flotilla audit verify` without any server.

1. `head`: what it is, of whom, by which filter.
2. For each block of the chain from the first to the last act: its acts as `event`, by position, each with the text that
   was hashed as it was archived (`sealed`) and what it says (`shown`); then the `block`: its hashes, the digests of all
   its entries, whosever they are, and of each `event` line above.
3. `end`: how many there were, and the head of the chain.
4. `signature`: Ed25519, by the key of `GET /v1/audit/key`, of the SHA-256 of all lines before.

The digests of others' entries are hashes of hashes: they tell nothing, and hold the chain together.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT: Final = "flotilla-audit-1"
PURPOSE: Final = "analytics: signs exports of the audit log"
DIGEST_BYTES: Final = 32


class Head(msgspec.Struct, frozen=True, tag="head", tag_field="kind"):
    """The first line."""

    organization_id: UUID
    filter: dict[str, str]
    made_at: str
    format: str = FORMAT


class EventLine(msgspec.Struct, frozen=True, tag="event", tag_field="kind"):
    """One act."""

    position: int
    sealed: str
    """The text whose SHA-256 is the entry's hash: a JSON array of the archived columns, ciphertext included."""
    shown: dict[str, Any]
    """The same for people, opened."""


class BlockLine(msgspec.Struct, frozen=True, tag="block", tag_field="kind"):
    """A block, after its acts. Hashes are hex; runs of digests base64."""

    position_from: int
    position_to: int
    previous: str
    content: str
    hash: str
    digests: str
    own: list[int]
    """The positions of its acts."""
    lines: str
    """The SHA-256 of each act's line."""


class EndLine(msgspec.Struct, frozen=True, tag="end", tag_field="kind"):
    """What there was."""

    events: int
    blocks: int
    head: str
    """`<position>:<hash>` of the last block, as `flotilla archive verify` notes it; empty where there was none."""


class SignatureLine(msgspec.Struct, frozen=True, tag="signature", tag_field="kind"):
    """The last line. Both base64."""

    key: str
    signature: str


Line = Head | EventLine | BlockLine | EndLine | SignatureLine

_encode = msgspec.json.Encoder().encode
read_line: Final = msgspec.json.Decoder(Line).decode
"""A line; msgspec.DecodeError for what is none."""


@dataclass(frozen=True)
class Signer:
    """Signs files for whoever has the public key."""

    key: Ed25519PrivateKey

    @classmethod
    def of(cls, seed: bytes) -> "Signer":
        """Of 32 bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> str:
        """Raw Ed25519, base64."""
        return text_of(self.key.public_key().public_bytes_raw())


class Writer:
    """Makes lines, and remembers what the last ones say of them."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._events = self._blocks = 0
        self._head = ""

    def line(self, line: Line) -> bytes:
        """One, as it is written."""
        written = _encode(line) + b"\n"
        self._digest.update(written)
        if isinstance(line, EventLine):
            self._events += 1
        elif isinstance(line, BlockLine):
            self._blocks += 1
            self._head = f"{line.position_to}:{line.hash}"
        return written

    def end(self, signer: Signer) -> bytes:
        """The last two."""
        end = self.line(EndLine(self._events, self._blocks, self._head))
        signature = text_of(signer.key.sign(self._digest.digest()))
        return end + _encode(SignatureLine(signer.public, signature)) + b"\n"


def text_of(raw: bytes | Sequence[bytes]) -> str:
    """Base64, of several one after the other."""
    joined = raw if isinstance(raw, bytes) else b"".join(raw)
    return base64.b64encode(joined).decode()


def digests_of(text: str) -> list[bytes]:
    """A run of digests; ValueError where it is none."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) % DIGEST_BYTES:
        raise ValueError("is not a run of digests")
    return [raw[start : start + DIGEST_BYTES] for start in range(0, len(raw), DIGEST_BYTES)]
