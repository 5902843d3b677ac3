"""What a conversation's messages add up to.

The state is a set of entries, one a message and question. Adding the same entry twice changes nothing, and
entries may come in any order: what counts is their messages' position in the conversation.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from flotilla_ai.domain.qualification.questions import QUESTIONS, Question
from flotilla_ai.domain.qualification.signals import Finding

MOST_ENTRIES: Final = 8
"""Kept of a question: the clearest."""


class Entry(msgspec.Struct, frozen=True):
    """What one message says of one question."""

    question: Question
    message_id: UUID
    position: int
    favours: float
    opposes: float
    spans: list[tuple[int, int]]
    kinds: list[str]
    amount_minor: int | None = None
    currency: str | None = None

    @classmethod
    def of(cls, finding: Finding, message_id: UUID, position: int) -> "Entry":
        """A finding in a message."""
        return cls(
            question=finding.question,
            message_id=message_id,
            position=position,
            favours=finding.favours,
            opposes=finding.opposes,
            spans=list(finding.spans),
            kinds=list(finding.kinds),
            amount_minor=finding.amount.minor if finding.amount else None,
            currency=finding.amount.currency if finding.amount else None,
        )

    @property
    def clear(self) -> float:
        """How surely it says what it says."""
        return max(self.favours, self.opposes)


class Letter(msgspec.Struct, frozen=True):
    """How a conversation stands on one question."""

    question: Question
    score: int
    """From 0, nothing speaks for it, to 100."""
    confidence: float
    """How sure the clearest of its messages is; 0 where none says anything."""
    explanation: str
    entries: list[Entry]


class Standing(msgspec.Struct, frozen=True):
    """How a conversation stands: all that is derived from its entries."""

    letters: list[Letter]
    total: int
    """From 0 to 100: each question is a quarter of it."""
    confidence: float
    budget: tuple[int, str] | None
    """What they last said they can spend: hundredths, currency."""

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Standing":
        """Of a conversation's entries."""
        letters = [_letter(question, entries) for question in QUESTIONS]
        said = [letter for letter in letters if letter.entries]
        sure = sum(letter.confidence for letter in said) / len(said) if said else 0.0
        amounts = [e for e in letters[0].entries if e.amount_minor is not None and e.favours >= e.opposes]
        last = amounts[-1] if amounts and letters[0].score else None
        return cls(
            letters=letters,
            total=round(sum(letter.score for letter in letters) / len(letters)),
            confidence=round(sure, 4),
            budget=(last.amount_minor, last.currency)
            if last and last.amount_minor is not None and last.currency
            else None,
        )


def folded(kept: Iterable[Entry], new: Iterable[Entry]) -> list[Entry]:
    """Entries with new ones: each message's once, the clearest of each question, in the messages' order."""
    by_message = {(entry.question, entry.message_id): entry for entry in [*new, *kept]}
    clearest: list[Entry] = []
    for question in QUESTIONS:
        of_it = [entry for entry in by_message.values() if entry.question is question]
        of_it.sort(key=lambda entry: (-entry.clear, entry.position))
        clearest += of_it[:MOST_ENTRIES]
    return sorted(clearest, key=_place)


def _place(entry: Entry) -> tuple[int, int]:
    return entry.position, QUESTIONS.index(entry.question)


def _letter(question: Question, entries: Sequence[Entry]) -> Letter:
    of_it = sorted((entry for entry in entries if entry.question is question), key=_place)
    score = 0.0
    for entry in of_it:
        # What is said again is believed more; what is taken back counts for less: the last word weighs most.
        score = (score + (1 - score) * entry.favours) * (1 - entry.opposes)
    whole = round(100 * score)
    return Letter(
        question=question,
        score=whole,
        confidence=max((entry.clear for entry in of_it), default=0.0),
        explanation=_explanation(whole, of_it),
        entries=of_it,
    )


def _explanation(score: int, entries: Sequence[Entry]) -> str:
    """In words, without any of the customer's."""
    if not entries:
        return "Nothing was said about it."
    sides = [(sum(e.favours >= e.opposes for e in entries), "for it")]
    sides.append((len(entries) - sides[0][0], "against it"))
    said = " and ".join(f"{_messages(count)} {side}" for count, side in sides if count)
    kinds = sorted({kind for entry in entries for kind in entry.kinds})
    return f"{score} of 100: {said}, by {' and '.join(_KINDS[kind] for kind in kinds)}."


def _messages(count: int) -> str:
    return "1 message speaks" if count == 1 else f"{count} messages speak"


_KINDS: Final = {
    "amount": "an amount of money",
    "date": "a date",
    "phrase": "a known phrase",
    "wording": "its wording as a whole",
}
