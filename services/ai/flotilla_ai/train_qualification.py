"""`python -m flotilla_ai.train_qualification`: fits resources/qualification.npz to eval/bant/train.txt.

As `flotilla_ai.train`, a head a question with three answers; cross-validation keeps what the languages say alike
together, or it would measure how well they were translated. Messages that only an existing customer writes
(eval/intent/train.txt) are learnt beside it as saying nothing of any question.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flotilla_ai.domain.model import Floats
from flotilla_ai.domain.qualification.questions import QUESTIONS
from flotilla_ai.domain.qualification.signals import ANSWERS, CUES, look
from flotilla_ai.labelled import FOLDER, QualifiedMessage, messages, qualified_messages
from flotilla_ai.train import FOLDS, Labels, best_temperature, cross_validated, fit, matrix

SCORER: Final = Path(__file__).parent / "resources" / "qualification.npz"
SILENT: Final = (
    "order_status",
    "refund",
    "invoice_question",
    "technical_problem",
    "how_to",
    "complaint",
    "thanks",
)
"""Intents of messages that say nothing of whether somebody may buy."""
EVERY: Final = 3
"""Of those messages every third: more would teach that nobody ever says anything."""

PENALTY: Final = 3e-4
SAYS: Final = np.array([2, 2, 1], np.float32)
"""What is said weighs double: most messages say nothing of most questions."""


def taught() -> list[QualifiedMessage]:
    """Everything that is learnt from."""
    silent = [message for message in messages("intent/train.txt") if message.intent in SILENT]
    nothing: dict[str, str] = {}
    return qualified_messages("bant/train.txt") + [
        QualifiedMessage(message.language, nothing, message.text) for message in silent[::EVERY]
    ]


def rows_of(texts: list[str]) -> Floats:
    """What the scorer sees of each: buckets of words, then cues."""
    return np.hstack([matrix(texts), np.stack([look(text).vector for text in texts])])


def themes_of(found: list[QualifiedMessage]) -> Labels:
    """Folds: what the nth message of one language says, the nth of another does too."""
    count: Counter[str] = Counter()
    folds = []
    for message in found:
        count[message.language] += 1
        folds.append(count[message.language] % FOLDS)
    return np.array(folds, np.intp)


def digest() -> str:
    """Of everything that the weights come from, but for the code."""
    resources = SCORER.parent
    sources = (
        FOLDER / "bant" / "train.txt",
        FOLDER / "intent" / "train.txt",
        resources / "bant.txt",
        resources / "concepts.txt",
    )
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def train() -> dict[str, NDArray[np.generic]]:
    """All heads; prints how well each does in cross-validation."""
    found = taught()
    texts = [message.text for message in found]
    rows, folds = rows_of(texts), themes_of(found)
    words, scales, cues, biases, temperatures = [], [], [], [], []
    for question in QUESTIONS:
        labels: Labels = np.array([ANSWERS.index(message.says(question)) for message in found], np.intp)
        logits = cross_validated(rows, labels, len(ANSWERS), folds, PENALTY, SAYS)
        temperatures.append(best_temperature(logits, labels))
        said = labels != ANSWERS.index("nothing")
        right = (logits.argmax(axis=1) == labels)[said].mean()
        print(
            f"{question}: {right:.3f} of what is said found in cross-validation, temperature {temperatures[-1]}"
        )
        weights, bias = fit(rows, labels, len(ANSWERS), PENALTY, SAYS)
        scales.append(np.abs(weights[:-CUES]).max(axis=0) / 127)
        words.append(np.round(weights[:-CUES] / scales[-1]).astype(np.int8))
        cues.append(weights[-CUES:])
        biases.append(bias)
    return {
        "words": np.stack(words),
        "scale": np.stack(scales).astype(np.float32),
        "cues": np.stack(cues).astype(np.float32),
        "bias": np.stack(biases).astype(np.float32),
        "temperature": np.array(temperatures, np.float32),
    }


def main() -> None:
    """Train and write the file."""
    np.savez_compressed(SCORER, allow_pickle=False, trained_on=np.array(digest()), **train())
    print(f"wrote {SCORER.name}: {SCORER.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
