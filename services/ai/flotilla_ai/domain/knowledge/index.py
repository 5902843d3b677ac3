"""Search over one organization's chunks, in memory: BM25 finds candidates, and the cosine ranks with it.

An organization has thousands of chunks, not millions: postings and a matrix of float16 rows are smaller and
faster than an approximate index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.knowledge.embedding import DIMENSIONS, HASHING, Embedder, Vectors
from flotilla_ai.domain.text import Features, Hashes, features_of

_K1: Final = 1.2
_B: Final = 0.6
_AT_LEAST: Final = 10
"""Chunks of nothing in particular beside the real ones: in three chunks no word could be called rare."""
_TEXT_SHARE: Final = 0.65
"""Of the text score in the whole; the rest is the cosine's."""
_CANDIDATES: Final = 256
_OWN_LANGUAGE: Final = 1.4
"""How much better a chunk in another language must fit to be put before one in the customer's."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage as it is stored and cited."""

    id: UUID
    source_id: UUID
    title: str
    """The source's."""
    heading: str
    text: str
    language: str

    @property
    def searched(self) -> str:
        """The text that it is found by."""
        return f"{self.title}\n{self.heading}\n{self.text}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that fits a question; scores from 0 to 1."""

    chunk: Chunk
    score: float
    text_score: float
    """Share of what was asked for, by weight of its words, that the chunk has."""
    similarity: float


class KnowledgeIndex:
    """Everything an organization knows; never changed, made anew instead."""

    def __init__(self, chunks: Sequence[Chunk], vectors: Vectors, embedder: Embedder = HASHING) -> None:
        """`vectors`: one row of length one a chunk, by `embedder`."""
        self.chunks = tuple(chunks)
        self.embedder = embedder
        self._languages = np.array([chunk.language for chunk in self.chunks], dtype=object)
        self._vectors = vectors.astype(np.float16)
        terms, owners, counts, lengths = _postings(self.chunks)
        self._terms, starts = np.unique(terms, return_index=True)
        self._bounds = np.append(starts, len(terms))
        self._owners = owners
        norm = 1 - _B + _B * lengths / max(float(lengths.mean()) if len(lengths) else 1.0, 1.0)
        # BM25's saturation, as a share of the most it could be: 1 for a term that a chunk is full of.
        self._saturations = (counts / (counts + _K1 * norm[owners])).astype(np.float32)

    @classmethod
    def of(cls, chunks: Sequence[Chunk], embedder: Embedder = HASHING) -> "KnowledgeIndex":
        """Index chunks whose vectors are not stored."""
        return cls(chunks, embedder.embed([chunk.searched for chunk in chunks]), embedder)

    @classmethod
    def empty(cls) -> "KnowledgeIndex":
        """Of an organization that knows nothing yet."""
        return cls((), np.empty((0, DIMENSIONS), np.float32))

    @property
    def size(self) -> int:
        """Bytes it takes, about."""
        text = sum(len(chunk.text) + len(chunk.heading) for chunk in self.chunks)
        return int(self._vectors.nbytes + self._owners.nbytes * 3 + self._terms.nbytes * 2 + text * 2)

    def search(self, features: Features, language: str | None = None, limit: int = 5) -> list[Hit]:
        """The chunks that fit best, best first; those in `language` before others that fit little better."""
        if not self.chunks or not len(features.terms):
            return []
        text_scores = self._text_scores(features)
        near = _candidates(text_scores)
        similarities = self._vectors[near].astype(np.float32) @ self.embedder.embed_features(features)
        scores = _TEXT_SHARE * text_scores[near] + (1 - _TEXT_SHARE) * np.clip(similarities, 0, 1)
        own = np.where(self._languages[near] == language, _OWN_LANGUAGE, 1.0)
        order = np.argsort(-scores * own, kind="stable")
        return [
            Hit(self.chunks[near[i]], float(scores[i]), float(text_scores[near[i]]), float(similarities[i]))
            for i in order[:limit].tolist()
            if scores[i] > 0
        ]

    def weight_of(self, terms: Hashes) -> Vectors:
        """How much each term says: rare ones more (BM25's idf, over a corpus that is never quite small)."""
        n = len(self.chunks) + _AT_LEAST
        at = np.minimum(np.searchsorted(self._terms, terms), len(self._terms) - 1)
        held = np.where(self._terms[at] == terms, self._bounds[at + 1] - self._bounds[at], 1)
        weights: Vectors = np.log1p((n - held + 0.5) / (held + 0.5)).astype(np.float32)
        return weights

    def _text_scores(self, features: Features) -> Vectors:
        """Share of the question's weight that each chunk answers to."""
        wanted, first = np.unique(features.terms, return_index=True)
        weights = self.weight_of(wanted) * features.term_weights[first]
        # A word that the whole knowledge lacks counts in full; one that only its concept has to stand for, not.
        held = self._bounds[1:] - self._bounds[:-1]
        positions = np.searchsorted(self._terms, wanted)
        scores, total = np.zeros(len(self.chunks), np.float32), 0.0
        for term, weight, share, at in zip(
            wanted.tolist(),
            weights.tolist(),
            features.term_weights[first].tolist(),
            positions.tolist(),
            strict=True,
        ):
            known = at < len(self._terms) and self._terms[at] == term
            total += weight if known or share == 1.0 else 0.0
            if known:
                postings = slice(self._bounds[at], self._bounds[at] + held[at])
                scores[self._owners[postings]] += weight * self._saturations[postings]
        return scores / np.float32(total) if total else scores


def _candidates(text_scores: Vectors) -> NDArray[np.intp]:
    """The chunks whose vectors are looked at: those with words in common, the best of them where they are many.

    Without a word in common a chunk cannot come near what counts as known, however alike its spelling.
    """
    near = np.flatnonzero(text_scores)
    if not len(near):
        near = np.arange(len(text_scores))
    if len(near) > _CANDIDATES:
        near = near[np.argpartition(-text_scores[near], _CANDIDATES)[:_CANDIDATES]]
    return np.sort(near)


def _postings(
    chunks: Sequence[Chunk],
) -> tuple[Hashes, NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Terms with the chunk that holds each and how often, sorted by term; and the chunks' lengths."""
    terms, owners, counts, lengths = [], [], [], []
    for number, chunk in enumerate(chunks):
        # The heading once more: what a passage is called weighs more than what it mentions.
        features = features_of(f"{chunk.searched}\n{chunk.heading}")
        found, held = np.unique(features.terms, return_counts=True)
        terms.append(found)
        counts.append(held)
        owners.append(np.full(len(found), number, np.int32))
        lengths.append(int(held.sum()))
    if not terms:
        return np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.float32)
    joined = np.concatenate(terms)
    order = np.argsort(joined, kind="stable")
    return (
        joined[order],
        np.concatenate(owners)[order],
        np.concatenate(counts)[order].astype(np.float32),
        np.array(lengths, np.float32),
    )
