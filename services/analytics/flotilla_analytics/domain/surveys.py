"""Surveys: what is asked, how an answer must be, until when it may be changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.events import analytics as events

from flotilla_analytics.domain.scores import SCALES

LINK: Final = "{link}"
"""What stands for the link in a survey's message."""
EDITABLE: Final = timedelta(hours=24)
"""How long after the first answer it may be changed."""
LATE: Final = timedelta(days=1)
"""What was resolved longer ago asks nobody: the fold was behind, or is reading the past."""
SENT: Final = -1
WORDS_ONLY: Final = -2
"""Stand in place of a score: what was sent; what was answered without one."""

QUESTIONS: Final = {
    "csat": "How satisfied are you with our help?",
    "nps": "How likely are you to recommend us to a friend or colleague?",
    "ces": "How easy was it to get what you needed?",
    "custom": "What could we do better?",
}
MESSAGE: Final = "How did we do? Tell us here: {link}"


class UnfitAnswerError(ValueError):
    """The answer is none of this survey's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Send:
    """A survey that one person is asked to answer."""

    organization_id: UUID
    id: UUID
    sequence: int
    survey_id: UUID
    kind: str
    question: str
    conversation_id: UUID
    identity_id: UUID | None
    contact_id: UUID | None
    channel: str
    agent_id: UUID | None
    state: str
    sent_at: datetime | None
    expires_at: datetime | None
    score: int | None
    comment: str | None
    answered_at: datetime | None

    @property
    def editable_until(self) -> datetime | None:
        """Null before it is answered."""
        return None if self.answered_at is None else self.answered_at + EDITABLE

    def sent(self) -> events.SurveySent:
        """Tells that they were asked."""
        return events.SurveySent(**self._what())

    def answered(self, changed: Mapping[str, list[Any]]) -> events.SurveyAnswered:
        """Tells what they said."""
        assert self.answered_at is not None
        return events.SurveyAnswered(
            **self._what(),
            score=self.score,
            comment=self.comment,
            answered_at=self.answered_at,
            changed=dict(changed),
        )

    def _what(self) -> dict[str, Any]:
        assert self.sent_at is not None
        return {
            "send_id": self.id,
            "survey_id": self.survey_id,
            "kind": self.kind,
            "conversation_id": self.conversation_id,
            "contact_id": self.contact_id,
            "channel": self.channel,
            "agent_id": self.agent_id,
            "sent_at": self.sent_at,
        }


def check_answer(kind: str, score: int | None, comment: str | None) -> None:
    """UnfitAnswerError where the score is not on the survey's scale, or nothing is said."""
    scale = SCALES[kind]
    if scale is None:
        if score is not None:
            raise UnfitAnswerError("This survey asks for words, not for a score.")
        if not comment:
            raise UnfitAnswerError("Write something.")
    elif score is None or not scale[0] <= score <= scale[1]:
        raise UnfitAnswerError(f"Give a score from {scale[0]} to {scale[1]}.")


def bucket_of(score: int | None) -> int:
    """Where an answer counts."""
    return WORDS_ONLY if score is None else score
