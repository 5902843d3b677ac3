"""How likely a lead buys, by rules that say why: points from what was said, who they are, and how long ago.

Every rule gives at most `MOST` points; all together give 100.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flotilla.events.leads import ScoreReason

MOST: Final[Mapping[str, int]] = {
    "budget": 15,
    "authority": 10,
    "need": 15,
    "timeline": 10,
    "completeness": 20,
    "recency": 15,
    "company_size": 15,
}
QUESTIONS: Final = ("budget", "authority", "need", "timeline")
RECENCY: Final = (
    (timedelta(days=1), 15, "the last message is less than a day old"),
    (timedelta(days=7), 10, "the last message is less than a week old"),
    (timedelta(days=30), 5, "the last message is less than a month old"),
)
SIZES: Final = ((250, 15), (50, 10), (10, 6), (1, 3))
"""From so many employees on, so many points."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What ai found about one question."""

    question: str
    score: float
    """From 0 to 100."""
    confidence: float
    """From 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules look at."""

    answers: tuple[Answer, ...]
    known: Mapping[str, bool]
    """Name, email, phone, company of the contact: whether they are known."""
    last_message_at: datetime | None
    employees: int | None
    """Of their company."""


def score(facts: Facts, now: datetime) -> tuple[int, list[ScoreReason]]:
    """The score and what each rule gave to it."""
    answers = {answer.question: answer for answer in facts.answers}
    reasons = [_said(question, answers.get(question)) for question in QUESTIONS]
    reasons += [_completeness(facts.known), _recency(facts.last_message_at, now), _size(facts.employees)]
    return sum(reason.points for reason in reasons), reasons


def _said(question: str, answer: Answer | None) -> ScoreReason:
    if answer is None:
        return _reason(question, 0, "nothing was said about it")
    points = round(MOST[question] * min(max(answer.score * answer.confidence / 100, 0), 1))
    return _reason(question, points, f"{answer.score:.0f} of 100, {answer.confidence:.0%} sure")


def _completeness(known: Mapping[str, bool]) -> ScoreReason:
    have = [field for field, is_known in known.items() if is_known]
    missing = [field for field, is_known in known.items() if not is_known]
    because = "; ".join(
        f"{', '.join(fields)} {word}" for fields, word in ((have, "known"), (missing, "not known")) if fields
    )
    return _reason("completeness", MOST["completeness"] * len(have) // len(known), because)


def _recency(last: datetime | None, now: datetime) -> ScoreReason:
    for age, points, because in RECENCY:
        if last is not None and now - last < age:
            return _reason("recency", points, because)
    return _reason("recency", 0, "there was no message for a month")


def _size(employees: int | None) -> ScoreReason:
    for least, points in SIZES:
        if employees is not None and employees >= least:
            return _reason("company_size", points, f"{least} employees or more")
    return _reason("company_size", 0, "the company's size is not known")


def _reason(rule: str, points: int, because: str) -> ScoreReason:
    return ScoreReason(rule=rule, points=points, most=MOST[rule], because=because)


def read_answers(stored: Iterable[Mapping[str, object]]) -> tuple[Answer, ...]:
    """As they are stored."""
    return tuple(Answer(**each) for each in stored)  # type: ignore[arg-type]
