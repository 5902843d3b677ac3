"""AES-256-GCM under a person's own key, or under one of theirs for a time.

    1 | 12 bytes nonce | ciphertext and tag                      the person's own
    2 | 16 bytes period | 12 bytes nonce | ciphertext and tag    made of it and of the period's secret

The period stands in what is sealed, and so in what is chained: nobody can say afterwards that it was another.
"""

import hmac
import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flotilla.security.sealing import UnsealError

KEY_BYTES: Final = 32
_OWN: Final = b"\x01"
_OF_PERIOD: Final = b"\x02"
_PURPOSE: Final = b"flotilla: archive, of a period\x00"
_NONCE_BYTES: Final = 12
_ID_BYTES: Final = 16


class PersonCipher:
    """Seals and opens the personal part of events; bound to the event, so that it cannot be moved."""

    def __init__(self, key: bytes, period: UUID | None = None) -> None:
        self._cipher = AESGCM(key)
        self._head = _OWN if period is None else _OF_PERIOD + period.bytes

    @classmethod
    def of_period(cls, key: bytes, period: UUID, secret: bytes) -> "PersonCipher":
        """By a key that takes both the person's and the period's secret: without either there is none."""
        return cls(hmac.digest(key, _PURPOSE + period.bytes + secret, "sha256"), period)

    def seal(self, plain: bytes, org: UUID, event_id: UUID) -> bytes:
        """Encrypt for this event."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, plain, org.bytes + event_id.bytes)

    def open(self, sealed: bytes, org: UUID, event_id: UUID) -> bytes:
        """Decrypt; UnsealError where it was changed or belongs to another event."""
        start = len(self._head)
        if sealed[:start] != self._head:
            raise UnsealError("unknown version, or under another key")
        nonce, text = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, text, org.bytes + event_id.bytes)
        except (InvalidTag, ValueError) as error:
            raise UnsealError("changed, or not of this event") from error


def period_in(sealed: bytes) -> UUID | None:
    """Of which period the key is; None where it is the person's own."""
    if sealed[:1] != _OF_PERIOD:
        return None
    if len(sealed) < 1 + _ID_BYTES:
        raise UnsealError("cut off")
    return UUID(bytes=sealed[1 : 1 + _ID_BYTES])
