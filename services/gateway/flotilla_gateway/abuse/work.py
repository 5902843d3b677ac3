"""Proofs of work: a challenge is a number to be found by trying, SHA-256 by SHA-256, in a blink of a computer's time.

As ALTCHA has it (altcha.org, protocol v1), so that its widget and libraries solve it, and so does a screen reader's
user, who needs not see, hear or click anything: find `number`, 0 to `maxnumber`, for which SHA-256(salt + number), in
hexadecimal, is `challenge`; send all of it back as base64 of JSON. Nothing is kept until it is solved: the signature
ties it to the address, the route and its end, and only that it was used is remembered, until then.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from typing import Final
from urllib.parse import parse_qs

import msgspec

ALGORITHM: Final = "SHA-256"
LIFETIME_SECONDS: Final = 120
LONGEST_SOLUTION: Final = 1024


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked."""

    algorithm: str
    challenge: str
    """Lower-case hexadecimal."""
    maxnumber: int
    salt: str
    """Ends with its parameters, `?expires=<Unix seconds>&`."""
    signature: str


class Solution(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back."""

    algorithm: str
    challenge: str
    number: int
    salt: str
    signature: str


class Work:
    """Asks and checks; every process of a gateway the same."""

    def __init__(self, keys: tuple[bytes, ...], most: int) -> None:
        """`keys`: the first signs, all are believed. `most`: the highest number there may be.

        Half as many tries are needed on average.
        """
        self._keys = keys
        self._most = most

    def ask(self, caller: str, route: str) -> Challenge:
        """A challenge for this caller and this route."""
        expires = int(time.time()) + LIFETIME_SECONDS
        # The & at the end keeps digits of the number from being read as part of the time.
        salt = f"{os.urandom(12).hex()}?expires={expires}&"
        challenge = hashlib.sha256(f"{salt}{secrets.randbelow(self._most + 1)}".encode()).hexdigest()
        return Challenge(
            algorithm=ALGORITHM,
            challenge=challenge,
            maxnumber=self._most,
            salt=salt,
            signature=_signature(self._keys[0], challenge, salt, caller, route),
        )

    def solved(self, written: bytes, caller: str, route: str) -> str | None:
        """The name of a challenge that this solves, which may be used once; None where it solves none."""
        if len(written) > LONGEST_SOLUTION:
            return None
        try:
            solution = msgspec.json.decode(base64.b64decode(written, validate=True), type=Solution)
        except (binascii.Error, msgspec.DecodeError):
            return None
        asked = (solution.challenge, solution.salt, caller, route)
        if not any(
            hmac.compare_digest(_signature(key, *asked).encode(), solution.signature.encode())
            for key in self._keys
        ):
            return None
        expires = int(parse_qs(solution.salt.partition("?")[2])["expires"][0])
        found = hashlib.sha256(f"{solution.salt}{solution.number}".encode()).hexdigest()
        good = time.time() < expires and hmac.compare_digest(found.encode(), solution.challenge.encode())
        return solution.signature if good else None


def _signature(key: bytes, *asked: str) -> str:
    return hmac.digest(key, "\n".join(asked).encode(), hashlib.sha256).hex()
