"""Embeddings: an interface, and the one that needs no model: n-grams hashed into a vector with signs.

Texts that share words, beginnings of words or concepts (resources/concepts.txt: five languages) come to lie
close together. It knows nothing of the world; a provider's embeddings take its place through `Embedder`.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.text import LONGEST_TEXT, NGRAMS, Features, Hashes, features_of

DIMENSIONS: Final = 512
_BITS: Final = 9
_SPREAD: Final = np.uint32(0x85EBCA6B)
_WEIGHTS: Final = (0.5, 1.0, 0.6)
"""Say of words' beginnings and concepts, of words and pairs, of character n-grams."""

Vectors = NDArray[np.float32]
_SHIFT, _ONE, _SIGN = np.uint32(32 - _BITS), np.uint32(1), np.uint32(_BITS)
_MOST: Final = len(NGRAMS) * LONGEST_TEXT
"""As often as a text can have one n-gram."""
_LOGARITHMS: Final = np.log1p(np.arange(_MOST + 1, dtype=np.float32))
_DAMPED: Final = np.concatenate([_LOGARITHMS, -_LOGARITHMS[:0:-1]])
"""The logarithm of a count, with its sign: a negative one counts from the end."""


class Embedder(Protocol):
    """Makes vectors of length one of texts."""

    @property
    def name(self) -> str:
        """Stored beside each vector: vectors of different names are not comparable."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""

    def embed_features(self, features: Features) -> Vectors:
        """The vector of a text that is hashed already."""


class HashingEmbedder:
    """Feature hashing with signs (Weinberger et al. 2009), counts damped by their logarithm."""

    name = "hashing-512-1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text; about 60 µs each."""
        rows = [self.embed_features(features_of(text)) for text in texts]
        return np.stack(rows) if rows else np.empty((0, DIMENSIONS), np.float32)

    def embed_features(self, features: Features) -> Vectors:
        """The vector of a text that is hashed already."""
        vector = np.zeros(DIMENSIONS, np.float32)
        for weight, grams in zip(
            _WEIGHTS, (features.terms, features.word_grams, features.char_grams), strict=True
        ):
            vector += weight * _unit(_folded(grams))
        return _unit(vector)


def _folded(grams: Hashes) -> Vectors:
    spread = grams * _SPREAD
    # The lowest bit is the sign: what counts for a bucket stands in the upper half, what counts against it below.
    places = (spread >> _SHIFT) + ((spread & _ONE) << _SIGN)
    counts = np.bincount(places, minlength=2 * DIMENSIONS)
    damped: Vectors = _DAMPED[counts[DIMENSIONS:] - counts[:DIMENSIONS]]
    return damped


def _unit(vector: Vectors) -> Vectors:
    length = float(np.sqrt(vector @ vector))
    return vector / np.float32(length) if length else vector


HASHING: Final[Embedder] = HashingEmbedder()
