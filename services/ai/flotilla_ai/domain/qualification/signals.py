"""What one message says of each question: a trained scorer over its words and its phrases, with the evidence.

The scorer (`flotilla_ai.train_qualification`) sees what the intent model sees and, beside it, counts of phrases,
amounts and dates that all languages share, so that what one language teaches holds for the others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np

from flotilla_ai.domain.model import Bag, Floats, softmax, sparse
from flotilla_ai.domain.qualification.lexicon import Cue, cues_in, merged, negations_in, words_in
from flotilla_ai.domain.qualification.patterns import Amount, amounts_in, dates_in
from flotilla_ai.domain.qualification.questions import QUESTIONS, Question
from flotilla_ai.domain.text import LONGEST_TEXT, features_of

ANSWERS: Final = ("against", "for", "nothing")
"""What a message may say of a question, in the order of the scorer's heads."""
HEARD_FROM: Final = 0.3
"""Probability from which something is taken as said."""
CUES: Final = 4 * len(QUESTIONS) + 5
"""Length of `cues_of`."""
_WEIGHT: Final = np.float32(1.5)
"""How much louder than words a phrase is: what all languages share shall be learnt first."""
_MOST_SPANS: Final = 4
_SENTENCE: Final = re.compile(r"[^.!?…\n]+[.!?…]*")


@dataclass(frozen=True, slots=True)
class Seen:
    """The phrases, amounts and dates of a text."""

    cues: tuple[Cue, ...]
    amounts: tuple[Amount, ...]
    dates: tuple[tuple[int, int], ...]
    vector: Floats
    """For the scorer: `CUES` numbers from 0 to twice `_WEIGHT`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a message says of one question."""

    question: Question
    favours: float
    """Probability that it speaks for it."""
    opposes: float
    spans: tuple[tuple[int, int], ...]
    """Where in the text, by characters; the words stay there."""
    kinds: tuple[str, ...]
    """What shows it: `phrase`, `amount`, `date`, or `wording` where the scorer alone has seen it."""
    amount: Amount | None


@dataclass(frozen=True)
class Scorer:
    """A head a question: three answers."""

    version: str
    words: Floats
    """Buckets by questions times answers: what one bucket says lies together."""
    cues: Floats
    """Questions by `CUES` by answers."""
    bias: Floats
    temperature: Floats

    def probabilities(self, bag: Bag, vector: Floats) -> Floats:
        """Questions by answers."""
        buckets, values = bag
        said = (values @ self.words[buckets]).reshape(self.bias.shape)
        return softmax((said + vector @ self.cues + self.bias) / self.temperature[:, None])


def findings_in(text: str, bag: Bag | None = None) -> list[Finding]:
    """What a message says, of the questions that it says anything of; a fifth of a millisecond.

    `bag`: the text as the intent model sees it, where the caller has it.
    """
    text = text[:LONGEST_TEXT]
    seen = look(text)
    bag = bag if bag is not None else sparse(features_of(text))
    found = []
    for question, row in zip(QUESTIONS, scorer().probabilities(bag, seen.vector).tolist(), strict=True):
        opposes, favours, _ = row
        if max(favours, opposes) >= HEARD_FROM:
            found.append(_finding(text, question, favours, opposes, seen))
    return found


def look(text: str) -> Seen:
    """Find phrases, amounts and dates."""
    words = words_in(text)
    cues, amounts = tuple(cues_in(words)), tuple(amounts_in(text))
    money = [(amount.start, amount.end) for amount in amounts]
    dates = tuple(
        (start, end) for start, end in dates_in(text) if all(end <= a or start >= b for a, b in money)
    )
    counts = np.zeros(CUES, np.float32)
    for cue in cues:
        counts[4 * QUESTIONS.index(cue.question) + 2 * cue.favours + cue.negated] += 1
    counts[-5:] = (len(amounts), len(dates), negations_in(words), text.count("?"), len(words) / 40)
    return Seen(cues, amounts, dates, np.minimum(counts, 2) * _WEIGHT)


@cache
def scorer() -> Scorer:
    """The one shipped in the package."""
    path = resources.files("flotilla_ai").joinpath("resources/qualification.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        words = stored["words"].astype(np.float32) * stored["scale"][:, None, :]
        return Scorer(
            version=f"bant-{str(stored['trained_on'])[:8]}",
            words=np.ascontiguousarray(words.transpose(1, 0, 2).reshape(words.shape[1], -1)),
            cues=stored["cues"],
            bias=stored["bias"],
            temperature=stored["temperature"],
        )


def _finding(text: str, question: Question, favours: float, opposes: float, seen: Seen) -> Finding:
    yes = favours >= opposes
    spans = {"phrase": [(c.start, c.end) for c in seen.cues if c.question is question and _sides(c, yes)]}
    if question is Question.BUDGET:
        spans["amount"] = [(amount.start, amount.end) for amount in seen.amounts]
    if question is Question.TIMELINE:
        spans["date"] = list(seen.dates)
    kinds = tuple(kind for kind, places in spans.items() if places)
    places = merged([place for each in spans.values() for place in each])
    return Finding(
        question=question,
        favours=round(favours, 4),
        opposes=round(opposes, 4),
        spans=tuple(places[:_MOST_SPANS] or [_telling(text, question, yes)]),
        kinds=kinds or ("wording",),
        amount=seen.amounts[-1] if question is Question.BUDGET and yes and seen.amounts else None,
    )


def _sides(cue: Cue, yes: bool) -> bool:
    """Whether a phrase speaks as the message does; a negation turns what speaks for it."""
    return (cue.favours and not cue.negated) == yes


def _telling(text: str, question: Question, yes: bool) -> tuple[int, int]:
    """The sentence that says it most clearly."""
    sentences = _sentences(text)
    if len(sentences) < 2:
        return sentences[0] if sentences else (0, len(text))
    number, answer = QUESTIONS.index(question), ANSWERS.index("for" if yes else "against")

    def clear(span: tuple[int, int]) -> float:
        part = text[span[0] : span[1]]
        said = scorer().probabilities(sparse(features_of(part)), look(part).vector)
        return float(said[number, answer])

    return max(sentences[:8], key=clear)


def _sentences(text: str) -> Sequence[tuple[int, int]]:
    found = []
    for match in _SENTENCE.finditer(text):
        part = match[0]
        if part.strip():
            start = match.start() + len(part) - len(part.lstrip())
            found.append((start, match.start() + len(part.rstrip())))
    return found
