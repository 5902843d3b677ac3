"""Locking after wrong passwords, with backoff: guessing gets slow, and its owner is never shut out for long."""

from typing import Final

LOCK_SECONDS: Final = (0.0, 0.0, 0.0, 0.0, 30.0, 60.0, 120.0, 240.0, 480.0, 900.0)
"""How long the account is locked after the first, second, … attempt in a row; the last for all that follow."""

FORGET_HOURS: Final = 24
"""Attempts are forgotten a day after the last."""
