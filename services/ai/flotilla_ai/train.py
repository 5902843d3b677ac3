"""`python -m flotilla_ai.train`: fits resources/model.npz to eval/intent/train.txt.

Multinomial logistic regression by full-batch Adam from zero: convex and without chance, so a second run
gives the same weights. Everything that was chosen (regularisation, temperature) is chosen by cross-validation
on the training set; eval/intent/heldout.txt is for `flotilla_ai.eval` alone.
"""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.model import BUCKETS, Floats, softmax, sparse
from flotilla_ai.domain.text import crc, features_of
from flotilla_ai.labelled import FOLDER, greeted, messages

MODEL: Final = Path(__file__).parent / "resources" / "model.npz"
STEPS: Final = 200
STEP: Final = 0.1
PENALTY: Final = 3e-5
FOLDS: Final = 5
TEMPERATURES: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5)
DECAY: Final = (0.9, 0.999)

Labels = NDArray[np.intp]


def matrix(texts: list[str]) -> Floats:
    """One row a text."""
    rows = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in zip(rows, texts, strict=True):
        buckets, values = sparse(features_of(text))
        # Two kinds of features may meet in one bucket: add, as the model does when it is asked.
        np.add.at(row, buckets, values)
    return rows


def fit(
    rows: Floats, labels: Labels, classes: int, penalty: float = PENALTY, says: Floats | None = None
) -> tuple[Floats, Floats]:
    """Weights and bias; `says`: how much each label's rows are to say, all the same by default."""
    louder = np.float32(1) if says is None else says[labels][:, None]
    rows = np.hstack([rows, np.ones((len(rows), 1), np.float32)])
    wanted = np.eye(classes, dtype=np.float32)[labels]
    weights, mean, variance = (np.zeros((rows.shape[1], classes), np.float32) for _ in range(3))
    penalties = np.full((rows.shape[1], 1), penalty, np.float32)
    penalties[-1] = 0
    for step in range(1, STEPS + 1):
        errors = (softmax(rows @ weights) - wanted) * louder
        gradient = rows.T @ errors / len(rows) + penalties * weights
        mean += np.float32(1 - DECAY[0]) * (gradient - mean)
        variance += np.float32(1 - DECAY[1]) * (gradient**2 - variance)
        unbiased = mean / (1 - DECAY[0] ** step), variance / (1 - DECAY[1] ** step)
        weights -= STEP * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)


def folds_of(texts: list[str]) -> Labels:
    """A message and the same one with a greeting are never apart."""
    return np.array([crc(text[-12:]) % FOLDS for text in texts], np.intp)


def cross_validated(
    rows: Floats,
    labels: Labels,
    classes: int,
    fold: Labels,
    penalty: float = PENALTY,
    says: Floats | None = None,
) -> Floats:
    """Logits of each row by a model that has seen nothing of its fold."""
    logits = np.zeros((len(rows), classes), np.float32)
    for held_out in range(FOLDS):
        weights, bias = fit(rows[fold != held_out], labels[fold != held_out], classes, penalty, says)
        logits[fold == held_out] = rows[fold == held_out] @ weights + bias
    return logits


def best_temperature(logits: Floats, labels: Labels) -> float:
    """Where the likelihood of the right labels is highest."""
    rows = np.arange(len(labels))
    return min(TEMPERATURES, key=lambda t: float(-np.log(softmax(logits / t)[rows, labels] + 1e-9).mean()))


def head(name: str, rows: Floats, texts: list[str], answers: list[str]) -> dict[str, NDArray[np.generic]]:
    """The arrays of one head; prints how well it does in cross-validation."""
    names = sorted(set(answers))
    labels = np.array([names.index(answer) for answer in answers], np.intp)
    logits = cross_validated(rows, labels, len(names), folds_of(texts))
    temperature = best_temperature(logits, labels)
    accuracy = (logits.argmax(axis=1) == labels).mean()
    print(f"{name}: {len(names)} labels, cross-validated accuracy {accuracy:.3f}, temperature {temperature}")
    weights, bias = fit(rows, labels, len(names))
    scale = np.abs(weights).max(axis=0) / 127
    return {
        f"{name}_labels": np.array(names),
        f"{name}_weights": np.round(weights / scale).astype(np.int8),
        f"{name}_scale": scale.astype(np.float32),
        f"{name}_bias": bias,
        f"{name}_temperature": np.float32(temperature),
    }


def digest() -> str:
    """Of everything that the weights come from, but for the code."""
    sources = ((FOLDER / "intent" / "train.txt"), MODEL.with_name("concepts.txt"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def train() -> dict[str, NDArray[np.generic]]:
    """Both heads, from the messages as they stand and with a greeting before them."""
    found = messages("intent/train.txt")
    found += greeted(found)
    texts = [message.text for message in found]
    rows = matrix(texts)
    return head("intent", rows, texts, [message.intent for message in found]) | head(
        "language", rows, texts, [message.language for message in found]
    )


def main() -> None:
    """Train and write the file."""
    np.savez_compressed(MODEL, allow_pickle=False, trained_on=np.array(digest()), **train())
    print(f"wrote {MODEL.name}: {MODEL.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
