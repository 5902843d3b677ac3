"""The supervisor: what may be asked of a provider, and which drafts a person may be offered.

Its rules look at the draft's words and at what it cites, never at who made it: a hosted model and the local
composer are judged alike. Every verdict says why.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

from flotilla_ai.domain.compose import boilerplate
from flotilla_ai.domain.pii import RESTORABLE, Finding, find
from flotilla_ai.domain.text import (
    QUIET,
    REMEMBERED_WORDS,
    concept_of,
    normalized,
    sentences_of,
    stopwords,
    words_of,
)
from flotilla_ai.domain.wording import lines_of


class Reason(StrEnum):
    """Why a draft is doubtful."""

    PROMPT_INJECTION = "prompt_injection"
    """The customer's text gives orders to a model."""
    PERSONAL_DATA = "personal_data"
    """The draft holds personal data that neither the customer wrote nor the cited knowledge says."""
    TOXIC = "toxic"
    UNCITED_PROMISE = "uncited_promise"
    """A price, a number, a discount, a refund or a guarantee that no citation backs."""
    UNCITED_CLAIM = "uncited_claim"
    """A statement that no citation backs."""
    LOW_CONFIDENCE = "low_confidence"
    """Offered all the same: a person decides."""


BLOCKING: Final = frozenset(Reason) - {Reason.LOW_CONFIDENCE}
LOW: Final = 0.5
REMEMBERED: Final = 1 << 11
"""Sources, and sentences of drafts, of which what was worked out is kept."""
_PROMISES: Final = frozenset({"discount", "refund", "free", "guaranteed", "warranty"})
_SUPPORT: Final = 0.4
"""Share of a sentence's words that its citations must have."""
_CLAIM_WORDS: Final = 4
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_STEM: Final = 5
_INVISIBLE: Final = re.compile(r"[\u200b-\u200f\u2060\ufeff\u00ad]")


@dataclass(frozen=True, slots=True)
class Backing:
    """What a source can back: of knowledge, which many drafts cite, so that it is worked out once."""

    stems: frozenset[str]
    concepts: frozenset[str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the supervisor thinks of a draft."""

    reasons: tuple[Reason, ...]

    @property
    def allowed(self) -> bool:
        """Whether a person may be offered it."""
        return not BLOCKING & set(self.reasons)


def injected(text: str) -> bool:
    """Whether a customer's text gives orders to a model."""
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return any(pattern.search(seen) for pattern in _injections())


def judge(
    question: str,
    draft: str,
    sources: Sequence[str],
    *,
    language: str,
    confidence: float,
    known: Sequence[str] = (),
    ordered: bool | None = None,
) -> Judgement:
    """Judge a draft against what it cites; `known`: what the channel says of the customer (name, number).

    `ordered`: whether the question gives orders to a model (`injected`), where the caller knows.
    """
    personal = find(draft, language)
    plain = _without(draft, personal)
    cited = tuple(sources)
    claims = [sentence for sentence in sentences_of(plain) if not _is_boilerplate(sentence, known)]
    checks = (
        (Reason.PROMPT_INJECTION, injected(question) if ordered is None else ordered),
        (Reason.PERSONAL_DATA, _leaks(personal, [question, *sources, *known])),
        (Reason.TOXIC, _toxic(draft)),
        (Reason.UNCITED_PROMISE, _promises(claims, question, cited)),
        (Reason.UNCITED_CLAIM, any(_unsupported(claim, cited) for claim in claims)),
        (Reason.LOW_CONFIDENCE, confidence < LOW),
    )
    return Judgement(tuple(reason for reason, holds in checks if holds))


def _leaks(personal: Sequence[Finding], allowed: Sequence[str]) -> bool:
    """Personal data of others, or of a kind that is never repeated."""
    if not personal:
        return False
    whole = _bare(" ".join(allowed))
    return any(finding.kind not in RESTORABLE or _bare(finding.value) not in whole for finding in personal)


def _without(draft: str, personal: Sequence[Finding]) -> str:
    """The draft without what is judged as personal data: a telephone number is no promise."""
    pieces, end = [], 0
    for finding in personal:
        pieces.append(draft[end : finding.start])
        end = finding.end
    return " ".join([*pieces, draft[end:]])


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum() or character == "@")


def _toxic(draft: str) -> bool:
    return any(map(_is_toxic, words_of(draft)))


@lru_cache(maxsize=REMEMBERED_WORDS)
def _is_toxic(word: str) -> bool:
    return word.startswith(_toxic_beginnings())


def _promises(claims: Sequence[str], question: str, sources: tuple[str, ...]) -> bool:
    """Numbers and promising words must stand in a citation; only a long reference may be the customer's own."""
    numbers = set[str]().union(*(backing(source).numbers for source in sources))
    numbers |= {number for number in _NUMBER.findall(question) if number.isdigit() and len(number) >= 4}
    return any(
        not numbers.issuperset(_NUMBER.findall(claim)) or _promising(claim, sources) for claim in claims
    )


@lru_cache(maxsize=REMEMBERED)
def _promising(claim: str, sources: tuple[str, ...]) -> bool:
    """Whether a statement promises what no source does."""
    if claim.endswith("?"):
        return False
    backed = frozenset[str]().union(*(backing(source).concepts for source in sources))
    return any((concept := concept_of(word)) in _PROMISES and concept not in backed for word in spoken(claim))


@lru_cache(maxsize=REMEMBERED)
def _unsupported(claim: str, sources: tuple[str, ...]) -> bool:
    """Whether too few of a statement's words are in the citations, by beginning or by concept."""
    if claim.endswith("?"):
        return False
    words = [word for word in spoken(claim) if _says_something(word)]
    if len(words) < _CLAIM_WORDS:
        return False
    cited = [backing(source) for source in sources]
    backed = sum(
        any(word[:_STEM] in each.stems or concept_of(word) in each.concepts for each in cited)
        for word in words
    )
    return backed < _SUPPORT * len(words)


@lru_cache(maxsize=REMEMBERED)
def backing(source: str) -> Backing:
    """What a source can back."""
    words = words_of(source)
    return Backing(
        stems=frozenset(word[:_STEM] for word in words),
        concepts=frozenset(concept for word in words if (concept := concept_of(word))),
        numbers=frozenset(_NUMBER.findall(source)),
    )


@lru_cache(maxsize=REMEMBERED)
def spoken(sentence: str) -> tuple[str, ...]:
    """The words of a draft's sentence: of the knowledge, most often, and the same in many drafts."""
    return tuple(words_of(sentence))


@lru_cache(maxsize=REMEMBERED_WORDS)
def _says_something(word: str) -> bool:
    return word not in stopwords() and not (concept_of(word) or "").startswith(QUIET)


def _is_boilerplate(sentence: str, names: Sequence[str]) -> bool:
    plain = sentence
    for name in names:
        for part in name.split()[:1]:
            plain = plain.replace(part, "{name}")
    return normalized(plain) in _boilerplate()


@cache
def _boilerplate() -> frozenset[str]:
    return frozenset(normalized(sentence) for sentence in boilerplate())


@cache
def _toxic_beginnings() -> tuple[str, ...]:
    return tuple(normalized(word) for line in lines_of("toxic.txt") for word in line.split())


@cache
def _injections() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(line, re.DOTALL) for line in lines_of("injection.txt"))
