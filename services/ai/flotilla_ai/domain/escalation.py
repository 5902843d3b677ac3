"""When a person should take a conversation, whatever the knowledge would answer."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

from flotilla_ai.domain.analysis import Analysis
from flotilla_ai.domain.wording import lines_of

COMPLAINT_FROM: Final = 0.75
"""Confidence from which a complaint is a person's."""


@dataclass(frozen=True, slots=True)
class Need:
    """Why a person is needed, and how soon."""

    reason: str
    priority: str


def need_of_person(text: str, analysis: Analysis) -> Need | None:
    """Whether a message asks for a person, or complains; None for most."""
    if analysis.spam:
        return None
    seen = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if any(pattern.search(seen) for pattern in _asking()):
        return Need("asked_for_person", "high")
    if analysis.intent == "complaint" and analysis.intents.confidence >= COMPLAINT_FROM:
        return Need("complaint", "high")
    return None


@cache
def _asking() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(line, re.DOTALL) for line in lines_of("person.txt"))
