"""Signatures of webhooks, both ways: Standard Webhooks 1.0 (standardwebhooks.com), symmetric.

The signature is HMAC-SHA256 over `<id>.<timestamp>.<body>`, base64, as `v1,<signature>`; several stand beside each
other, separated by spaces, while a secret is being changed.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE_SECONDS: Final = 300
MIN_KEY_BYTES: Final = 24
MAX_KEY_BYTES: Final = 64


class SignatureError(ValueError):
    """The request is unsigned, forged or too old."""


def key_of(secret: str) -> bytes:
    """The key in `whsec_<base64>`; ValueError for what is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("A secret is `whsec_` and base64.") from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"A secret has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes.")
    return key


def sign(key: bytes, message_id: str, timestamp: int, body: bytes, *older: bytes) -> dict[str, str]:
    """The headers of a request; `older`: keys whose holders have not heard of the new one yet."""
    signatures = (_signature(each, message_id, str(timestamp), body) for each in (key, *older))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def verify(key: bytes, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> str:
    """The request's id; SignatureError where it isn't the sender's, or not of the last five minutes."""
    message_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (message_id and stamp and given):
        raise SignatureError("Send the headers webhook-id, webhook-timestamp and webhook-signature.")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 13):
        raise SignatureError("webhook-timestamp is in whole seconds since 1970.")
    if abs((time.time() if now is None else now) - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureError("webhook-timestamp is more than five minutes away.")
    expected = _signature(key, message_id, stamp, body).encode()
    candidates = [part[3:].encode() for part in given.split(" ") if part.startswith("v1,")]
    if not any(hmac.compare_digest(expected, candidate) for candidate in candidates):
        raise SignatureError("The signature is not right.")
    return message_id


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
