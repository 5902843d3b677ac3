"""Identifiers: time-ordered UUIDs, made here or derived from what an outside system calls its own things.

UUIDv7 (RFC 9562 section 5.7) for everything Flotilla creates. A thing that an outside system named gets a
UUIDv8 (section 5.8) of its own time and the hash of its name: the same outside thing always has the same id,
so a webhook delivered twice writes the same row twice, and both kinds sort by time in one index.
"""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Final

import uuid_utils

PLATFORM_ORG: Final = uuid.UUID(int=0)
"""The organization of events that belong to no tenant (signing keys)."""

_TIMESTAMP_SHIFT: Final = 80
_VERSION_8: Final = 0x8 << 76
_VARIANT: Final = 0b10 << 62


def new_id() -> uuid.UUID:
    """A fresh UUIDv7."""
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)


def derived_id(time: datetime, *name: str) -> uuid.UUID:
    """The UUIDv8 of an outside thing: 48 bits of its Unix milliseconds, then its name's SHA-256.

    `name` goes from the general to the particular: ("telegram", account, chat, message).
    """
    milliseconds = int(time.timestamp() * 1000) & ((1 << 48) - 1)
    digest = int.from_bytes(hashlib.sha256("\x00".join(name).encode()).digest()[:10], "big")
    low = digest & ((1 << 62) - 1)
    middle = (digest >> 62) & 0xFFF
    return uuid.UUID(int=milliseconds << _TIMESTAMP_SHIFT | _VERSION_8 | middle << 64 | _VARIANT | low)


def time_of(id_: uuid.UUID) -> datetime:
    """When the id was made: the first 48 bits are Unix milliseconds (RFC 9562 sections 5.7 and 5.8).

    The far future of the calendar for ids that were never a time.
    """
    try:
        return datetime.fromtimestamp((id_.int >> _TIMESTAMP_SHIFT) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def first_id_at(time: datetime) -> uuid.UUID:
    """The smallest id of that millisecond: a bound for ranges and partitions by id."""
    return uuid.UUID(int=int(time.timestamp() * 1000) << _TIMESTAMP_SHIFT)
