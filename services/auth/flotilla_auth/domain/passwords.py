"""Which passwords are refused (NIST SP 800-63B section 5.1.1.2: length and lists, no rules of composition)."""

import re
import unicodedata
from collections.abc import Iterable
from importlib import resources
from threading import Lock
from typing import Final

from zxcvbn import zxcvbn

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
FEWEST_CHARACTERS: Final = 5
LEAST_SCORE: Final = 3
"""Of zxcvbn: at least 10^8 guesses, which is safe against whoever has the hash for a while."""
ESTIMATED_LENGTH: Final = 64
BREACHED: Final = "This password has leaked elsewhere and is among those tried first: take another."
_ONE_AT_A_TIME: Final = Lock()
"""zxcvbn keeps what it is told of a person in a variable of its module."""
_SUBSTITUTES: Final = str.maketrans("013457@$!", "oleastasi")
_AROUND: Final = re.compile(r"^[^a-z]+|[^a-z]+$")
_ROWS: Final = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_SHORTEST_TELLING_PART: Final = 4


def _packaged() -> frozenset[str]:
    text = resources.files("flotilla_auth.domain").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


COMMON: Final = _packaged()


def normalized(password: str) -> str:
    """The same for every keyboard: composed (NFKC), as the section advises before hashing."""
    return unicodedata.normalize("NFKC", password)


def objection(password: str, email: str, *names: str) -> str | None:
    """Why this password will not do, for its owner to read; None where it will."""
    if len(password) < MIN_LENGTH:
        return f"Take at least {MIN_LENGTH} characters; several words with spaces are good."
    if len(password) > MAX_LENGTH:
        return f"Take at most {MAX_LENGTH} characters."
    folded = normalized(password).casefold()
    if _is_common(folded):
        return "This is among the passwords that are tried first: take another."
    if _is_pattern(folded):
        return "This repeats itself or follows the keyboard: take several words instead."
    if _contains_address(folded, email.casefold()):
        return "Do not use your e-mail address in the password."
    if _is_guessed_soon(folded, (email, *names)):
        return "This is guessed too soon: take several words that do not belong together."
    return None


def _is_common(folded: str) -> bool:
    stem = _AROUND.sub("", folded)
    plain = _AROUND.sub("", folded.translate(_SUBSTITUTES))
    return not COMMON.isdisjoint({folded, stem, plain, stem.translate(_SUBSTITUTES)})


def _is_guessed_soon(folded: str, known: Iterable[str]) -> bool:
    # Its time grows with the square of the length, and what is longer than this is not guessed word by word.
    words = [word for text in known for word in (text, *re.split(r"\W+", text)) if len(word) > 1]
    with _ONE_AT_A_TIME:
        return int(zxcvbn(folded[:ESTIMATED_LENGTH], user_inputs=words)["score"]) < LEAST_SCORE


def _is_pattern(folded: str) -> bool:
    if len(set(folded)) < FEWEST_CHARACTERS:
        return True
    if folded in (folded + folded)[1:-1]:
        return True
    return any(folded in row * 3 or folded in row[::-1] * 3 for row in _ROWS)


def _contains_address(folded: str, email: str) -> bool:
    local, _, domain = email.partition("@")
    parts = (local, domain, domain.partition(".")[0])
    return any(len(part) >= _SHORTEST_TELLING_PART and part in folded for part in parts)
