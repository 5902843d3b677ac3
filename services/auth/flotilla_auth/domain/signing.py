"""When keys that sign access tokens change, so that at every moment all who check tokens know the signing one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

ACCESS_LIFETIME: Final = timedelta(minutes=15)
PERIOD: Final = timedelta(days=30)
"""How long a key signs."""
AHEAD: Final = timedelta(minutes=10)
"""A key is announced this long before it signs: longer than any process goes without reading the keys."""
SLACK: Final = timedelta(days=7)
"""How much longer a key may sign where the rotation did not run."""
LEEWAY: Final = timedelta(minutes=1)
"""Clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key pair; `not_after` is when the last token it signed has expired."""

    id: UUID
    public_key: bytes
    sealed_private_key: bytes
    signs_from: datetime
    not_after: datetime

    def may_sign(self, now: datetime) -> bool:
        """Whether a token it signs now expires while the key is still believed."""
        return self.signs_from <= now <= self.not_after - ACCESS_LIFETIME - LEEWAY


def signer(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """The key that signs now: the newest that may."""
    able = [key for key in keys if key.may_sign(now)]
    return max(able, key=lambda key: key.signs_from, default=None)


def is_due(keys: Sequence[SigningKey], now: datetime) -> bool:
    """Whether a new key has to be made."""
    newest = max((key.signs_from for key in keys), default=None)
    return newest is None or newest + PERIOD - AHEAD <= now or signer(keys, now) is None


def starts(keys: Sequence[SigningKey], now: datetime) -> datetime:
    """When a key made now begins to sign: at once where there is no other."""
    return now if signer(keys, now) is None else now + AHEAD


def retired(keys: Sequence[SigningKey], next_from: datetime) -> list[SigningKey]:
    """The keys as they stand once another signs from `next_from`."""
    end = next_from + ACCESS_LIFETIME + LEEWAY
    return [replace(key, not_after=min(key.not_after, end)) for key in keys]


def in_order(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """Those whose tokens are or will be valid, the signing one first, then the newest."""
    signing = signer(keys, now)
    valid = [key for key in keys if key.not_after > now]
    return sorted(valid, key=lambda key: (key is not signing, -key.signs_from.timestamp()))
