"""From a text to numbers: words, beginnings of words, character n-grams, all hashed.

One pass serves the intent model, the embeddings and the text search, so that a message is cut up once.
"""

import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.wording import lines_of

Hashes = NDArray[np.uint32]

LONGEST_TEXT: Final = 8_000
"""Characters looked at: what an event may carry of a text."""
STEM: Final = 5
"""Letters that stand for a word in text search: enough for five languages' endings to fall away."""
NGRAMS: Final = (3, 4, 5)
REMEMBERED_WORDS: Final = 1 << 14
"""What was worked out of so many words is kept: people use few."""

QUIET: Final = "~"
"""Marks concepts that say how something is said: what a text is about is sought without them."""

_WORD: Final = re.compile(r"[^\W_]+(?:['’ʼ-][^\W_]+)*")
_DIGIT: Final = re.compile(r"\d")
_SENTENCE: Final = re.compile(r"(?<=[.!?…])[\s]+(?=[^\s])|\n+")
_GOLDEN: Final = np.uint32(2654435761)
_CONCEPT: Final = "\x01"
_BESIDE_CONCEPT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Features:
    """A text, hashed."""

    words: tuple[str, ...]
    terms: Hashes
    """What text search counts: beginnings of words, and concepts."""
    term_weights: NDArray[np.float32]
    """How much each term is to say; a word whose concept stands beside it says less."""
    word_grams: Hashes
    """Words and pairs of words."""
    concept_grams: Hashes
    """Concepts (resources/concepts.txt), so that five languages share what one of them teaches."""
    char_grams: Hashes
    """Runs of 3 to 5 characters within the words, and across the border of two."""


def normalized(text: str) -> str:
    """Compatibility form, lower case, ё as е, every digit as 0."""
    folded = unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).casefold().replace("ё", "е").replace("’", "'")
    return _DIGIT.sub("0", folded)


def words_of(text: str) -> list[str]:
    """Its words, normalized."""
    return _WORD.findall(normalized(text))


def sentences_of(text: str) -> list[str]:
    """Its sentences and lines, in order, without the empty ones."""
    return [part for sentence in _SENTENCE.split(text) if (part := sentence.strip())]


def features_of(text: str) -> Features:
    """Everything that the models look at."""
    words = words_of(text)
    found = [concept for word in words if (concept := concept_of(word))]
    terms, weights = _terms(words)
    plain = np.fromiter((crc(word) for word in words), np.uint32, len(words))
    pairs = plain[:-1] * _GOLDEN ^ plain[1:]
    concepts = np.fromiter((crc(_CONCEPT + concept) for concept in found), np.uint32, len(found))
    return Features(
        words=tuple(words),
        terms=np.array(terms, np.uint32),
        term_weights=np.array(weights, np.float32),
        word_grams=np.concatenate([plain, pairs]),
        concept_grams=concepts,
        char_grams=_char_grams(" " + " ".join(words) + " "),
    )


@lru_cache(maxsize=REMEMBERED_WORDS)
def crc(word: str) -> int:
    """The same number in every process and on every machine, unlike `hash`."""
    return zlib.crc32(word.encode())


@cache
def concepts() -> dict[str, str]:
    """Beginnings of words and the concept they stand for."""
    table: dict[str, str] = {}
    for line in lines_of("concepts.txt"):
        concept, _, beginnings = line.partition(":")
        table |= {normalized(beginning): concept for beginning in beginnings.split()}
    return table


@lru_cache(maxsize=REMEMBERED_WORDS)
def concept_of(word: str) -> str | None:
    """The concept of a word, by its longest known beginning."""
    table = concepts()
    for length in range(min(len(word), 14), 1, -1):
        # A short beginning is a word of its own: "an" is not the beginning of "analysis".
        if (concept := table.get(word[:length])) and (length > 3 or length == len(word)):
            return concept
    return None


@cache
def stopwords() -> frozenset[str]:
    """Words that say nothing of what a text is about."""
    return frozenset(words_of(" ".join(lines_of("stopwords.txt"))))


def _terms(words: list[str]) -> tuple[list[int], list[float]]:
    terms: list[int] = []
    weights: list[float] = []
    for word in words:
        for term, weight in _terms_of(word):
            terms.append(term)
            weights.append(weight)
    return terms, weights


@lru_cache(maxsize=REMEMBERED_WORDS)
def _terms_of(word: str) -> tuple[tuple[int, float], ...]:
    concept = concept_of(word)
    if concept and concept.startswith(QUIET):
        return ()
    if concept:
        return (crc(_CONCEPT + concept), 1.0), (crc(word[:STEM]), _BESIDE_CONCEPT)
    return () if word in stopwords() else ((crc(word[:STEM]), 1.0),)


def _char_grams(text: str) -> Hashes:
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    grams, rolling = [], codes * _GOLDEN
    for length in range(2, max(NGRAMS) + 1):
        if len(codes) < length:
            break
        rolling = (rolling[:-1] ^ codes[length - 1 :]) * _GOLDEN
        rolling = rolling ^ (rolling >> np.uint32(15))
        if length in NGRAMS:
            grams.append(rolling)
    return np.concatenate(grams) if grams else np.empty(0, np.uint32)
