"""What a provider is asked, what it answers, and how it fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from flotilla_ai.domain.knowledge import Hit

Search = Callable[[str], Sequence[Hit]]
"""Searches the organization's knowledge."""


@dataclass(frozen=True, slots=True)
class Question:
    """One message of a customer, with placeholders for personal data."""

    text: str
    language: str
    agent: str
    tone: str
    intent: str
    greet: bool
    said_before: tuple[tuple[str, str | None], ...]
    """What was asked before in the conversation and what was answered, oldest first."""
    hits: tuple[Hit, ...]
    """What the knowledge has for it."""
    instruction: str | None = None
    """What the reply shall say, in the words of somebody of the organization."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said."""

    text: str
    """Empty where it says that the knowledge has no answer."""
    cited: tuple[Hit, ...]
    model: str
    input_tokens: int
    output_tokens: int


class ProviderError(Exception):
    """The provider could not be used: away, too slow, refused the key, said nothing that makes sense."""


class ProviderBusyError(ProviderError):
    """It asks to come back later."""

    def __init__(self, after: timedelta) -> None:
        super().__init__(f"asks to come back after {after}")
        self.after = after


class Provider(Protocol):
    """Answers questions from passages, and may search for more."""

    async def answer(self, question: Question, search: Search) -> Answer:
        """One draft; ProviderError where there is none to be had."""
