"""Sealing: AES-256-GCM under the master keys, and deriving: HKDF of the derivation keys. Both rotate without downtime.

A sealed value is `1 byte version | 1 byte length of key id | key id | 12 bytes nonce | ciphertext and tag`.
The associated data ties it to its place (a row's id), so that it cannot be moved to another.
"""

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LONGEST_ID: Final = 32
FIRST: Final = "d1"
"""The derivation key of before there were several: what was hashed with it does not say so."""
_VERSION: Final = 1
_NONCE: Final = 12


class UnsealError(ValueError):
    """Sealed under a key that is not here, moved from its place, or changed."""


class Keyring:
    """The master keys of an instance."""

    def __init__(self, keys: str, derivation: str = "") -> None:
        """`keys`: `id:base64,…` of 32 bytes each; the first seals, all open.

        `derivation`: the same, of what other keys are derived of: the first for what is new, all for what there is. By
        default the oldest of `keys`, as `FIRST`.
        """
        self._raw = _parsed(keys)
        self._ciphers = {key_id: AESGCM(raw) for key_id, raw in self._raw.items()}
        self.newest = next(iter(self._raw))
        """The id of the key that seals."""
        self._derivations = _parsed(derivation) or {FIRST: list(self._raw.values())[-1]}
        self.derivations = tuple(self._derivations)
        """The ids of the derivation keys, the one for what is new in front."""

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt; `place` must be given again to open."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self.newest].encrypt(nonce, plain, place)
        return header(self.newest) + nonce + sealed

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt; UnsealError where that cannot be."""
        try:
            if sealed[0] != _VERSION:
                raise UnsealError("unknown version")
            end = 2 + sealed[1]
            cipher = self._ciphers[sealed[2:end].decode()]
            return cipher.decrypt(sealed[end : end + _NONCE], sealed[end + _NONCE :], place)
        except (InvalidTag, KeyError, IndexError, ValueError) as error:  # cut short is a ValueError
            raise UnsealError("not sealed under these keys, or not for this place") from error

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (HKDF, RFC 5869): for hashes and signatures that are made now."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """That one, then those of older derivation keys: for hashes and signatures that were made before."""
        return tuple(
            HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(raw)
            for raw in self._derivations.values()
        )


def _parsed(keys: str) -> dict[str, bytes]:
    pairs = (pair.strip().split(":", 1) for pair in keys.split(",") if pair.strip())
    return {key_id: base64.b64decode(encoded) for key_id, encoded in pairs}


def header(key_id: str) -> bytes:
    """What every value begins with that is sealed under this key."""
    encoded = key_id.encode()
    return bytes([_VERSION, len(encoded)]) + encoded


def sealed_under(sealed: bytes) -> str:
    """The id of the key of a sealed value; UnsealError where it is none."""
    if len(sealed) < 2 or sealed[0] != _VERSION:
        raise UnsealError("unknown version")
    return sealed[2 : 2 + sealed[1]].decode(errors="replace")
