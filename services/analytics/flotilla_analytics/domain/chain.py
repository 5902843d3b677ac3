"""The hash chain of the archive: which bytes are hashed, so that anybody can check it.

A row's hash is Postgres's `archive_hash` (SHA-256 over its columns, ciphertext included). An entry's digest is
SHA-256(event id · organization id · row hash). A block's content is the sum of its entries' digests modulo
2^256, which does not depend on their order; its hash is SHA-256(hash of the block before · first position ·
last position · content · entries' digests in order). Ids are 16 bytes, positions 8, big-endian.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

FIRST_HASH: Final = hashlib.sha256(b"flotilla archive").digest()
"""What the first block follows."""

MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in the ledger."""

    event_id: UUID
    organization_id: UUID
    hash: bytes
    type: str | None = None
    """For who looks for events of some types; the row's hash covers it."""

    def digest(self) -> bytes:
        """What a block holds of it."""
        return hashlib.sha256(self.event_id.bytes + self.organization_id.bytes + self.hash).digest()


@dataclass(frozen=True, slots=True)
class Block:
    """A run of positions and the hash that chains it."""

    position_from: int
    position_to: int
    previous_hash: bytes
    content: bytes
    hash: bytes


def seal(previous_hash: bytes, position_from: int, entries: Sequence[Entry]) -> Block:
    """The block of these entries, the first at `position_from`."""
    return seal_digests(previous_hash, position_from, [entry.digest() for entry in entries])


def seal_digests(previous_hash: bytes, position_from: int, digests: Sequence[bytes]) -> Block:
    """The same of entries of which only the digests are known."""
    position_to = position_from + len(digests) - 1
    content = content_of(digests)
    hashed = hashlib.sha256(previous_hash)
    hashed.update(position_from.to_bytes(8, "big") + position_to.to_bytes(8, "big") + content)
    hashed.update(b"".join(digests))
    return Block(position_from, position_to, previous_hash, content, hashed.digest())


def content_of(digests: Sequence[bytes]) -> bytes:
    """The sum of digests, whatever their order."""
    return (sum(int.from_bytes(digest, "big") for digest in digests) % MODULUS).to_bytes(32, "big")
