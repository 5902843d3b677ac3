"""Words that prove themselves: what stands in a link is signed, so that nobody can make one or change it.

Made with the first of some keys, and believed of all of them, so that they can be changed.

Written as `body | MAC`, base64url without padding. The MAC is HMAC-SHA-256, cut to 128 bits (RFC 2104, section 5).
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

MAC_BYTES: Final = 16
Keys = tuple[bytes, ...]


def write(keys: Keys, body: bytes) -> str:
    """The body with its signature, as it can stand in an address."""
    return base64.urlsafe_b64encode(body + _mac(keys[0], body)).rstrip(b"=").decode()


def read(keys: Keys, written: str, size: int) -> bytes | None:
    """The body of `size` bytes; None where it was not written with one of these keys."""
    try:
        raw = base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    # Base 64 has several spellings of the same bytes; what is counted by its spelling has one.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != written.encode():
        return None
    body, mac = raw[:size], raw[size:]
    if len(body) != size:
        return None
    return body if any(hmac.compare_digest(mac, _mac(key, body)) for key in keys) else None


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:MAC_BYTES]
