"""Words that prove themselves: what stands in a link is signed, so that nobody can make one or change it.

Written as `body | MAC`, base64url without padding. The MAC is HMAC-SHA-256, cut to 128 bits (RFC 2104, section 5).
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

MAC_BYTES: Final = 16


def write(key: bytes, body: bytes) -> str:
    """The body with its signature, as it can stand in an address."""
    return base64.urlsafe_b64encode(body + _mac(key, body)).rstrip(b"=").decode()


def read(key: bytes, written: str, size: int) -> bytes | None:
    """The body of `size` bytes; None where it was not written with this key."""
    try:
        raw = base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    body, mac = raw[:size], raw[size:]
    return body if len(body) == size and hmac.compare_digest(mac, _mac(key, body)) else None


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:MAC_BYTES]
