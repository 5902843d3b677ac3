"""A summary by choosing: the sentences of a conversation that say most of what it is about.

No word in it is made up. A sentence counts by the words it shares with the rest of the conversation, less by its
length; one that says again what was chosen already counts little.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from flotilla_ai.domain.text import STEM, sentences_of, stopwords, words_of

SENTENCES: Final = 3
LONGEST: Final = 300
"""Characters of one sentence; longer ones are cut."""
_AGAIN: Final = 0.7
"""How much of a sentence's worth is lost where all its words were chosen already."""
_FIRST: Final = 1.3
"""How much more the customer's first sentence says of why they wrote."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the customer said, and what they were answered, with placeholders for personal data."""

    asked: str
    answered: str | None


@dataclass(frozen=True, slots=True)
class _Sentence:
    place: int
    text: str
    stems: frozenset[str]
    weight: float


def extract(turns: Sequence[Turn]) -> str:
    """Up to `SENTENCES` sentences of the customer in their order, then the last answer's first; empty for nothing."""
    sentences = _sentences(turns)
    chosen: list[_Sentence] = []
    said: set[str] = set()
    while len(chosen) < SENTENCES and (left := [each for each in sentences if each not in chosen]):
        best = max(left, key=lambda each: (_worth(each, said), -each.place))
        if _worth(best, said) <= 0:
            break
        chosen.append(best)
        said |= best.stems
    lines = [each.text for each in sorted(chosen, key=lambda each: each.place)]
    answers = [part for turn in turns if turn.answered for part in _telling(turn.answered)]
    return "\n".join([*lines, *(f"→ {answer}" for answer in answers[-1:])])


def _sentences(turns: Sequence[Turn]) -> list[_Sentence]:
    texts = [part for turn in turns for part in sentences_of(turn.asked)]
    stems = [_stems(text) for text in texts]
    counts = Counter(stem for each in stems for stem in each)
    return [
        _Sentence(place, text[:LONGEST], each, _weight(each, counts) * (_FIRST if place == 0 else 1.0))
        for place, (text, each) in enumerate(zip(texts, stems, strict=True))
    ]


def _weight(stems: frozenset[str], counts: Counter[str]) -> float:
    return sum(1 + log(counts[stem]) for stem in stems) / sqrt(len(stems) + 3) if stems else 0.0


def _worth(sentence: _Sentence, said: set[str]) -> float:
    if not sentence.stems:
        return 0.0
    again = len(sentence.stems & said) / len(sentence.stems)
    return sentence.weight * (1 - _AGAIN * again)


def _telling(answer: str) -> list[str]:
    """The sentence of an answer that says most: longest in words, greetings and thanks aside."""
    found = [part for part in sentences_of(answer) if _stems(part)]
    return [max(found, key=lambda part: len(_stems(part)))[:LONGEST]] if found else []


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:STEM] for word in words_of(text) if word not in stopwords() and len(word) > 1)
