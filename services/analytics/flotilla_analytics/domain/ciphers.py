"""AES-256-GCM under a person's own key: `1 byte version | 12 bytes nonce | ciphertext and tag`."""

import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flotilla.security.sealing import UnsealError

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_START: Final = len(_VERSION) + _NONCE_BYTES


class PersonCipher:
    """Seals and opens the personal part of events; bound to the event, so that it cannot be moved."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, org: UUID, event_id: UUID) -> bytes:
        """Encrypt for this event."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, org.bytes + event_id.bytes)

    def open(self, sealed: bytes, org: UUID, event_id: UUID) -> bytes:
        """Decrypt; UnsealError where it was changed or belongs to another event."""
        if sealed[:1] != _VERSION:
            raise UnsealError("unknown version")
        try:
            return self._cipher.decrypt(sealed[1:_START], sealed[_START:], org.bytes + event_id.bytes)
        except InvalidTag as error:
            raise UnsealError("changed, or not of this event") from error
