"""What an organization does not want said in its name: phrases, and what is done where a draft has one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

MASK: Final = "•••"
POLICY: Final = "policy"
"""What verdicts and violations of an organization's own say."""


class Action(StrEnum):
    """What is done with a draft that has the phrase, from the mildest."""

    FLAG = "flag"
    MASK = "mask"
    REFUSE = "refuse"


DONE: Final = {Action.FLAG: "flagged", Action.MASK: "masked", Action.REFUSE: "refused"}


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule of an organization."""

    id: UUID
    phrases: tuple[str, ...]
    action: Action


@dataclass(frozen=True, slots=True)
class Violation:
    """What the supervisor found in a draft."""

    rule: str
    policy_id: UUID | None
    done: str
    places: tuple[tuple[int, int], ...] = ()


def violations_in(text: str, policies: Sequence[Policy]) -> list[Violation]:
    """One for each policy that has a phrase in the text: whole words, whatever their case and the space between."""
    found = []
    for policy in policies:
        places = tuple(match.span() for match in _pattern(policy.phrases).finditer(text))
        if places:
            found.append(Violation(POLICY, policy.id, DONE[policy.action], places))
    return found


def masked(text: str, violations: Sequence[Violation]) -> str:
    """The text without the words that are to be masked."""
    places = sorted(place for each in violations if each.done == DONE[Action.MASK] for place in each.places)
    pieces, end = [], 0
    for start, stop in places:
        if start >= end:
            pieces += [text[end:start], MASK]
        end = max(end, stop)
    return "".join([*pieces, text[end:]])


@lru_cache(maxsize=1000)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest = sorted(phrases, key=len, reverse=True)
    words = (r"\s+".join(re.escape(word) for word in phrase.split()) for phrase in longest)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
