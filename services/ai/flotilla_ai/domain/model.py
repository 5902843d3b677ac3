"""A linear model over hashed n-grams, with one head a question: which intent, which language.

`flotilla_ai.train` fits it to the labelled messages under eval/ and writes resources/model.npz: weights as
bytes with a scale a label, so that the file stays small and every machine reads the same numbers.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.text import Features

BITS: Final = 13
BUCKETS: Final = 1 << BITS
_SPREAD: Final = np.uint32(0x9E3779B1)
_SHIFT: Final = np.uint32(32 - BITS)

Floats = NDArray[np.float32]
Bag = tuple[NDArray[np.intp], Floats]
"""A text as the model sees it: buckets, and the value of each."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Labels with probabilities that add up to one, best first."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def best(self) -> str:
        """The likeliest label."""
        return self.labels[0]

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.probabilities[0]

    def as_dict(self) -> dict[str, float]:
        """Probability of each label."""
        return dict(zip(self.labels, self.probabilities, strict=True))


@dataclass(frozen=True)
class Head:
    """One question: its labels, and the weights that answer it."""

    labels: tuple[str, ...]
    weights: Floats
    """Buckets by labels."""
    bias: Floats
    temperature: float
    """What logits are divided by, so that a confidence of 0.8 is right four times in five."""

    def rank(self, bag: Bag) -> Ranking:
        """The labels of a text, from `sparse(features)`."""
        buckets, values = bag
        return self.ranked(values @ self.weights[buckets])

    def ranked(self, said: Floats) -> Ranking:
        """The labels by what the buckets of a text say of each."""
        return ranking(self.labels, softmax((said + self.bias) / self.temperature))


@dataclass(frozen=True)
class Model:
    """The trained model."""

    intent: Head
    language: Head
    both: Floats
    """Buckets by labels of the one and then of the other: what a bucket says is looked up once for both."""

    def rank(self, bag: Bag) -> tuple[Ranking, Ranking]:
        """The intents and the languages of a text."""
        buckets, values = bag
        said = values @ self.both[buckets]
        border = len(self.intent.labels)
        return self.intent.ranked(said[:border]), self.language.ranked(said[border:])


def sparse(features: Features) -> Bag:
    """Buckets and values of a text: each kind of feature has the same say, the whole has length one."""
    kinds = [
        _distinct(grams * _SPREAD >> _SHIFT)
        for grams in (features.word_grams, features.concept_grams, features.char_grams)
        if len(grams)
    ]
    total = sum(map(len, kinds))
    buckets, values = np.empty(total, np.intp), np.empty(total, np.float32)
    begin = 0
    for found in kinds:
        end = begin + len(found)
        buckets[begin:end] = found
        values[begin:end] = 1 / math.sqrt(len(found) * len(kinds))
        begin = end
    return buckets, values


def _distinct(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What `np.unique` gives, at a fifth of its time for the few hundred that a message has."""
    numbers.sort()
    keep = np.empty(len(numbers), np.bool_)
    keep[0] = True
    np.not_equal(numbers[1:], numbers[:-1], out=keep[1:])
    return numbers[keep]


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    raised = np.exp(logits - np.maximum.reduce(logits, axis=-1, keepdims=True))
    raised /= np.add.reduce(raised, axis=-1, keepdims=True)
    return raised


def ranking(labels: tuple[str, ...], probabilities: NDArray[np.floating]) -> Ranking:
    """Labels sorted by probability."""
    values = probabilities.tolist()
    order = sorted(range(len(values)), key=values.__getitem__, reverse=True)  # stable, reversed too
    return Ranking(tuple([labels[i] for i in order]), tuple([values[i] for i in order]))


@cache
def trained() -> Model:
    """The model shipped in the package."""
    path = resources.files("flotilla_ai").joinpath("resources/model.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        intent, language = _head(stored, "intent"), _head(stored, "language")
        both = np.ascontiguousarray(np.hstack([intent.weights, language.weights]))
        return Model(intent, language, both)


def _head(stored: "np.lib.npyio.NpzFile", name: str) -> Head:
    weights = stored[f"{name}_weights"].astype(np.float32) * stored[f"{name}_scale"]
    return Head(
        labels=tuple(stored[f"{name}_labels"].tolist()),
        weights=np.ascontiguousarray(weights),
        bias=stored[f"{name}_bias"],
        temperature=float(stored[f"{name}_temperature"]),
    )
