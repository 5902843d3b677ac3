"""The local provider's reply: what the knowledge says, in sentences of its own, between a greeting and a closing.

It says nothing that is not cited, translates nothing, and answers nothing where the knowledge has no answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flotilla_ai.domain.knowledge import Chunk, Hit
from flotilla_ai.domain.text import features_of, sentences_of
from flotilla_ai.domain.wording import phrases

TONES: Final = ("friendly", "formal")
KNOWN_FROM: Final = 0.14
"""Score of the best chunk below which the knowledge has no answer; chosen on eval/retrieval/dev.txt."""
_SURELY_KNOWN_FROM: Final = 0.25
"""The same for messages that seldom ask for something that is written down."""
_SELDOM_WRITTEN_DOWN: Final = frozenset({"complaint", "other", "spam"})
_NEARLY: Final = 0.8
"""A second chunk is quoted too where its score comes this near to the best one's."""
_WHOLE: Final = 360
"""Characters up to which a passage is quoted whole."""
_SENTENCES: Final = 3
_HALF_SURE: Final = 0.12
_NAME: Final = re.compile(r"[^\W\d_][^\W\d_'’-]{1,30}")


@dataclass(frozen=True, slots=True)
class Quote:
    """A chunk, and the words of it that a reply stands on."""

    chunk: Chunk
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A proposed reply."""

    text: str
    quotes: tuple[Quote, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Addressee:
    """To whom and how a reply is written."""

    language: str
    tone: str = "friendly"
    first_name: str | None = None
    greet: bool = False
    """Whether it is the first reply of the conversation."""


def compose(question: str, intent: str, to: Addressee, hits: Sequence[Hit]) -> Reply | None:
    """The reply, or None where nothing is known."""
    say = phrases()[to.tone].get(to.language) or phrases()[to.tone]["en"]
    hello = _hello(say, to.first_name) if to.greet or intent == "greeting" else ""
    if intent == "thanks":
        return Reply(say["thanks"], (), 0.9)
    least = _SURELY_KNOWN_FROM if intent in _SELDOM_WRITTEN_DOWN else KNOWN_FROM
    quotes = quoted(question, hits, least)
    if not quotes:
        # Most questions begin with a greeting: only where nothing fits the rest is it no more than one.
        return Reply(f"{hello} {say['welcome']}", (), 0.9) if intent == "greeting" else None
    parts = [
        hello,
        say["sorry"] if intent == "complaint" else "",
        say["foreign"] if quotes[0].chunk.language != to.language else "",
        *(quote.text for quote in quotes),
        say["closing"],
    ]
    return Reply("\n\n".join(part for part in parts if part), quotes, confidence_of(quotes[0].score))


def quoted(question: str, hits: Sequence[Hit], least: float = KNOWN_FROM) -> tuple[Quote, ...]:
    """The best one or two passages, in one language, cut to the sentences that fit the question."""
    fitting = [hit for hit in hits if hit.score >= least]
    if not fitting:
        return ()
    best = fitting[0]
    near = [
        hit
        for hit in fitting[:2]
        if hit.score >= _NEARLY * best.score and hit.chunk.language == best.chunk.language
    ]
    return tuple(Quote(hit.chunk, _excerpt(question, hit.chunk.text), hit.score) for hit in near)


def confidence_of(score: float) -> float:
    """From a chunk's score to how likely it answers the question."""
    return round(score / (score + _HALF_SURE), 4)


def first_name_of(name: str | None) -> str | None:
    """What to call somebody whom a channel calls so; None for what is no name."""
    words = (name or "").split()
    return words[0] if words and _NAME.fullmatch(words[0]) else None


def boilerplate() -> frozenset[str]:
    """Every sentence that a reply may hold without a source."""
    return frozenset(
        sentence
        for tone in phrases().values()
        for say in tone.values()
        for phrase in say.values()
        for sentence in sentences_of(phrase)
    )


def _hello(say: dict[str, str], name: str | None) -> str:
    return say["hello_name"].format(name=name) if name else say["hello"]


def _excerpt(question: str, text: str) -> str:
    if len(text) <= _WHOLE:
        return text
    sentences = sentences_of(text)
    asked = set(features_of(question).terms.tolist())
    fits = [len(asked & set(features_of(sentence).terms.tolist())) for sentence in sentences]
    best = sorted(range(len(sentences)), key=lambda i: (-fits[i], i))[:_SENTENCES]
    return " ".join(sentences[i] for i in sorted(best))
