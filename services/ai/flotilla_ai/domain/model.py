"""A linear model over hashed n-grams, with one head a question: which intent, which language.

`flotilla_ai.train` fits it to the labelled messages under eval/ and writes resources/model.npz: weights as
bytes with a scale a label, so that the file stays small and every machine reads the same numbers.
"""

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
        logits = (values @ self.weights[buckets] + self.bias) / self.temperature
        return ranking(self.labels, softmax(logits))


@dataclass(frozen=True)
class Model:
    """The trained model."""

    intent: Head
    language: Head


def sparse(features: Features) -> Bag:
    """Buckets and values of a text: each kind of feature has the same say, the whole has length one."""
    buckets, values = [], []
    for grams in (features.word_grams, features.concept_grams, features.char_grams):
        if len(grams):
            found = _distinct(grams * _SPREAD >> np.uint32(32 - BITS))
            buckets.append(found.astype(np.intp))
            values.append(np.full(len(found), 1 / np.sqrt(len(found)), np.float32))
    if not buckets:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    joined = np.concatenate(values)
    return np.concatenate(buckets), joined / np.sqrt(np.float32(len(buckets)))


def _distinct(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What `np.unique` gives, at a third of its time for the few hundred that a message has."""
    ordered: NDArray[np.uint32] = np.sort(numbers)
    return np.compress(np.append(True, ordered[1:] != ordered[:-1]), ordered)


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return probabilities


def ranking(labels: tuple[str, ...], probabilities: NDArray[np.floating]) -> Ranking:
    """Labels sorted by probability."""
    order = np.argsort(-probabilities, kind="stable").tolist()
    values = probabilities.tolist()
    return Ranking(tuple(labels[i] for i in order), tuple(values[i] for i in order))


@cache
def trained() -> Model:
    """The model shipped in the package."""
    path = resources.files("flotilla_ai").joinpath("resources/model.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return Model(intent=_head(stored, "intent"), language=_head(stored, "language"))


def _head(stored: "np.lib.npyio.NpzFile", name: str) -> Head:
    weights = stored[f"{name}_weights"].astype(np.float32) * stored[f"{name}_scale"]
    return Head(
        labels=tuple(stored[f"{name}_labels"].tolist()),
        weights=np.ascontiguousarray(weights),
        bias=stored[f"{name}_bias"],
        temperature=float(stored[f"{name}_temperature"]),
    )
