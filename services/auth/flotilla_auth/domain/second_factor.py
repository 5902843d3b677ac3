"""One-time codes by time (TOTP, RFC 6238) and recovery codes."""

import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

import pyotp

ISSUER: Final = "Flotilla"
STEP_SECONDS: Final = 30
SLACK_STEPS: Final = 1
"""Codes of the step before and the step after are taken too: clocks differ, and people type slowly."""
RECOVERY_CODES: Final = 10
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 signs that are not taken for each other."""
_HALF: Final = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody gives as their second factor: one of the three."""

    code: str | None = None
    recovery_code: str | None = None
    passkey: dict[str, Any] | None = None
    """An authenticator's answer to a challenge, as browsers write it."""


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 section 4 recommends."""
    return pyotp.random_base32(32)


def provisioning_uri(secret: str, email: str) -> str:
    """What an authenticator's camera is shown as a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def matching_step(secret: str, code: str, now: float, last_step: int) -> int | None:
    """The time step whose code this is, later than the last that was taken; None where it is none.

    All steps are looked at, whichever it is: how long this takes tells nothing.
    """
    totp = pyotp.TOTP(secret)
    current = int(now) // STEP_SECONDS
    found = None
    for step in range(current - SLACK_STEPS, current + SLACK_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()) and step > last_step:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten of 50 random bits, `xxxxx-xxxxx`."""
    return [f"{_half()}-{_half()}" for _ in range(RECOVERY_CODES)]


def folded(recovery_code: str) -> str:
    """As it was made, however it was typed."""
    return "".join(sign for sign in recovery_code.casefold() if sign.isalnum())


def _half() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_HALF))
