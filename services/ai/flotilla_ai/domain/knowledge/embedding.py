"""Embeddings: an interface, and the one that needs no model: n-grams hashed into a vector with signs.

Texts that share words, beginnings of words or concepts (resources/concepts.txt: five languages) come to lie
close together. It knows nothing of the world; a provider's embeddings take its place through `Embedder`.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.text import Features, Hashes, features_of

DIMENSIONS: Final = 512
_BITS: Final = 9
_SPREAD: Final = np.uint32(0x85EBCA6B)
_WEIGHTS: Final = (0.5, 1.0, 0.6)
"""Say of words' beginnings and concepts, of words and pairs, of character n-grams."""

Vectors = NDArray[np.float32]


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
    buckets = (spread >> np.uint32(32 - _BITS)).astype(np.intp)
    signs = np.where(spread & np.uint32(1), 1.0, -1.0)
    sums = np.bincount(buckets, weights=signs, minlength=DIMENSIONS).astype(np.float32)
    damped: Vectors = np.sign(sums) * np.log1p(np.abs(sums))
    return damped


def _unit(vector: Vectors) -> Vectors:
    length = float(np.sqrt(vector @ vector))
    return vector / np.float32(length) if length else vector


HASHING: Final[Embedder] = HashingEmbedder()
