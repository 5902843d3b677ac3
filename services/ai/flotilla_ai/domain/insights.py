"""What a message shows that a person may act on: signals that somebody buys, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flotilla_ai.domain.analysis import Analysis
from flotilla_ai.domain.qualification import Finding

SIGNAL: Final = "buying_signal"
ACTION: Final = "next_best_action"
SURE: Final = 0.7

_ACTIONS: Final = {
    "demo_request": "offer_demo",
    "pricing": "send_offer",
    "cancellation": "keep_customer",
    "complaint": "call_back",
    "booking": "confirm_appointment",
}
"""What is best done where a message wants this."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that one message shows."""

    kind: str
    topic: str
    confidence: float
    spans: tuple[tuple[int, int], ...]
    """Where in the message, by characters."""


def noticed_in(text: str, analysis: Analysis, heard: Sequence[Finding]) -> list[Noticed]:
    """The signals that a message gives with evidence, and the next action where its intent is clear."""
    if analysis.spam or analysis.injected:
        return []
    found = [
        Noticed(SIGNAL, finding.question.value, round(finding.favours, 4), finding.spans)
        for finding in heard
        if finding.favours >= SURE and finding.spans
    ]
    action = _ACTIONS.get(analysis.intent)
    if action is not None and analysis.intents.confidence >= SURE:
        found.append(Noticed(ACTION, action, round(analysis.intents.confidence, 4), ((0, len(text)),)))
    return found
