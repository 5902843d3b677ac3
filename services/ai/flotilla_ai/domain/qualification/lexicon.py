"""Phrases of resources/bant.txt in a text, with where they stand and whether a negation stands beside them.

Word by word through one table by beginnings: a text costs the same however long the lists grow.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from flotilla_ai.domain.qualification.questions import Question
from flotilla_ai.domain.text import REMEMBERED_WORDS
from flotilla_ai.domain.wording import lines_of

_WORD: Final = re.compile(r"[^\W_]+(?:['’ʼ-][^\W_]+)*")
_NUMBER: Final = "#"
_LONGEST_BEGINNING: Final = 14
_GAP: Final = 1
"""Words that may stand between two of a phrase."""
_NEGATES: Final = 3
"""Words before a phrase among which a negation turns it."""
_NUMBER_WORDS: Final = frozenset(
    {"two", "three", "four", "five", "six", "ten", "zwei", "drei", "vier", "fünf", "sechs", "zehn"}
    | {"deux", "trois", "quatre", "cinq", "six", "dix", "два", "дві", "три", "чотири", "п'ять", "шість"}
    | {"десять", "две", "четыре", "пять", "шесть", "десяти"}
)


class Word(NamedTuple):
    """A word as it is looked up, and where it stands."""

    plain: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase that speaks for a question (`favours`) or against it, at `text[start:end]`."""

    question: Question
    favours: bool
    negated: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Phrase:
    question: Question
    favours: bool
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Begun:
    """The phrases that a word may begin: most of them need not be looked at, for their second word is not there."""

    by_second: dict[str, tuple[_Phrase, ...]]
    """Where that is one word and no other."""
    others: tuple[_Phrase, ...]


@dataclass(frozen=True)
class _Lexicon:
    first: dict[str, tuple[_Phrase, ...]]
    """By the first word, or by its beginning with a `*`."""
    negations: frozenset[str]


def words_in(text: str) -> list[Word]:
    """The words, with their places in the text as it was written."""
    return [Word(_plain(match[0]), match.start(), match.end()) for match in _WORD.finditer(text)]


def cues_in(words: Sequence[Word]) -> list[Cue]:
    """Every phrase, the longer one where two begin at one word for the same question."""
    lexicon = _lexicon()
    plain = [word.plain for word in words]
    found: dict[tuple[Question, bool, int], Cue] = {}
    for at, word in enumerate(words):
        begun = _beginning(word.plain)
        if begun is None:
            continue
        nexts = plain[at + 1 : at + 2 + _GAP]
        for phrase in (*begun.others, *(each for word in nexts for each in begun.by_second.get(word, ()))):
            last = _ends(phrase.words, plain, at)
            if last is None:
                continue
            key = (phrase.question, phrase.favours, at)
            negated = not lexicon.negations.isdisjoint(plain[max(at - _NEGATES, 0) : at])
            cue = Cue(phrase.question, phrase.favours, negated, word.start, words[last].end)
            if key not in found or found[key].end < cue.end:
                found[key] = cue
    return list(found.values())


def negations_in(words: Sequence[Word]) -> int:
    """How many words negate."""
    negations = _lexicon().negations
    return sum(word.plain in negations for word in words)


@lru_cache(maxsize=REMEMBERED_WORDS)
def _plain(word: str) -> str:
    return word.casefold().replace("ё", "е").replace("’", "'").replace("ʼ", "'")


@lru_cache(maxsize=REMEMBERED_WORDS)
def _beginning(word: str) -> _Begun | None:
    """Phrases whose first word it is; None where there are none."""
    lexicon = _lexicon()
    found = list(lexicon.first.get(word, ()))
    if _is_number(word):
        found += lexicon.first.get(_NUMBER, ())
    for length in range(min(len(word), _LONGEST_BEGINNING), 2, -1):
        found += lexicon.first.get(word[:length] + "*", ())
    by_second: dict[str, tuple[_Phrase, ...]] = {}
    others = []
    for phrase in found:
        if len(phrase.words) == 1 or phrase.words[1] == _NUMBER or phrase.words[1].endswith("*"):
            others.append(phrase)
        else:
            by_second[phrase.words[1]] = (*by_second.get(phrase.words[1], ()), phrase)
    return _Begun(by_second, tuple(others)) if found else None


def _ends(phrase: tuple[str, ...], words: Sequence[str], at: int) -> int | None:
    """The place of the phrase's last word, where it stands here whole."""
    if len(phrase) == 1:
        return at
    for wanted in phrase[1:]:
        for place in range(at + 1, min(at + 2 + _GAP, len(words))):
            if _is(wanted, words[place]):
                at = place
                break
        else:
            return None
    return at


def _is(wanted: str, word: str) -> bool:
    if wanted == _NUMBER:
        return _is_number(word)
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted


def _is_number(word: str) -> bool:
    return word[0].isdigit() or word in _NUMBER_WORDS


@cache
def _lexicon() -> _Lexicon:
    first: dict[str, tuple[_Phrase, ...]] = {}
    negations: set[str] = set()
    heading = ""
    for line in lines_of("bant.txt"):
        if line.startswith("## "):
            heading = line[3:]
            continue
        phrases = [tuple(_plain(phrase).split()) for phrase in line.split(",")]
        if heading == "not":
            negations.update(word for (word,) in phrases)
            continue
        for words in phrases:
            entry = _Phrase(Question(heading[:-1]), heading.endswith("+"), words)
            first[words[0]] = (*first.get(words[0], ()), entry)
    return _Lexicon(first, frozenset(negations))


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, overlapping ones as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    assert all(before[1] < after[0] for before, after in pairwise(joined))
    return joined
