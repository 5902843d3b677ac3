"""Passwords of database roles as PostgreSQL stores them: SCRAM-SHA-256 (RFC 5803), made on this side.

`ALTER ROLE … PASSWORD` with a verifier instead of the password: whatever the server writes down of a statement, in its
log or in its statistics, the password is not in it.
"""

import base64
import hashlib
import hmac
import os
from typing import Final

ITERATIONS: Final = 4096
"""PostgreSQL's own; passwords here are random, and no more work is needed to keep them from being guessed."""
_SALT_BYTES: Final = 16


def verifier(password: str) -> str:
    """What proves the password of ASCII and tells it to nobody; another each time."""
    if not password.isascii():
        raise ValueError("a role's password is of ASCII characters")
    salt = os.urandom(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
