"""Opaque tokens: random, shown once, kept as hashes."""

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final

REFRESH_LIFETIME: Final = timedelta(days=7)
INVITATION_LIFETIME: Final = timedelta(days=7)
VERIFICATION_LIFETIME: Final = timedelta(days=7)
RESET_LIFETIME: Final = timedelta(hours=1)
_BYTES: Final = 32


def new_refresh_token() -> str:
    """256 bits; the prefix lets scanners of leaked secrets know it."""
    return f"flr_{secrets.token_urlsafe(_BYTES)}"


def refresh_token_after(token: str, salt: bytes) -> str:
    """The one that follows it: for who holds the token and the salt, and random for everybody else.

    So it can be told again to who lost the answer, and is stored nowhere.
    """
    made = hmac.digest(token.encode(), salt, hashlib.sha256)
    return f"flr_{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def new_salt() -> bytes:
    """256 bits."""
    return secrets.token_bytes(_BYTES)


def new_invitation_token() -> str:
    """256 bits, as above."""
    return f"fli_{secrets.token_urlsafe(_BYTES)}"


def new_mail_token() -> str:
    """256 bits, as above: what a link in a mail carries."""
    return f"flm_{secrets.token_urlsafe(_BYTES)}"


def new_pending_token() -> str:
    """256 bits, as above: somebody who is half-way in."""
    return f"flp_{secrets.token_urlsafe(_BYTES)}"


def new_flow_token() -> str:
    """256 bits, as above: somebody who signs in elsewhere."""
    return f"flw_{secrets.token_urlsafe(_BYTES)}"


def new_client_secret() -> str:
    """256 bits, as above: an OAuth client's."""
    return f"fls_{secrets.token_urlsafe(_BYTES)}"


def digest(token: str) -> bytes:
    """What is stored and looked up. Plain SHA-256: nobody guesses 256 bits, so nothing is gained by slowness."""
    return digest_of(token.encode())


def digest_of(raw: bytes) -> bytes:
    """The same of bytes as random."""
    return hashlib.sha256(raw).digest()
