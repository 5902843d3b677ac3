"""`python -m flotilla_ai.timing`: CPU of each step from a message to its judged draft, in microseconds.

Over the held-out messages, against the evaluation's knowledge base and against a large one.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID, uuid4

from flotilla.events.messaging import MessageReceived

from flotilla_ai.domain.analysis import analyze
from flotilla_ai.domain.knowledge import Chunk, KnowledgeIndex, chunked
from flotilla_ai.domain.language import detect
from flotilla_ai.domain.model import sparse, trained
from flotilla_ai.domain.pii import mask
from flotilla_ai.domain.qualification import findings_in
from flotilla_ai.domain.text import features_of
from flotilla_ai.labelled import FOLDER, messages
from flotilla_ai.library import Choice, Shelf
from flotilla_ai.proposals import proposed_here

T = TypeVar("T")
LARGE: Final = 2_000
"""Chunks."""


def knowledge(copies: int = 1) -> KnowledgeIndex:
    """The evaluation's, `copies` times."""
    passages = [
        (language, passage)
        for language in ("en", "de", "uk", "fr", "ru")
        for passage in chunked((FOLDER / "retrieval" / f"{language}.md").read_text("utf-8"))
    ]
    return KnowledgeIndex.of(
        [
            Chunk(uuid4(), uuid4(), "Help", f"{passage.heading} {copy}", passage.text, language)
            for copy in range(copies)
            for language, passage in passages
        ]
    )


def message_of(text: str) -> MessageReceived:
    """A message as messaging tells of it."""
    nobody = UUID(int=0)
    return MessageReceived(
        message_id=nobody,
        conversation_id=nobody,
        position=1,
        account_id=nobody,
        channel="telegram",
        identity_id=nobody,
        contact_id=None,
        assignee_id=None,
        sender=None,
        text=text,
        sent_at=datetime.now(UTC),
        ai_enabled=True,
        first=True,
    )


def timed(name: str, step: Callable[[T], object], inputs: list[T]) -> None:
    """Print the mean of the second pass; the first one warms caches."""
    for _ in range(2):
        began = time.process_time()
        for each in inputs:
            step(each)
        spent = (time.process_time() - began) / len(inputs)
    print(f"  {name:36}{spent * 1e6:>8.0f} µs")


def main() -> None:
    """Print the table."""
    texts = [message.text for message in messages("intent/heldout.txt")]
    print(f"{len(texts)} messages of {sum(map(len, texts)) // len(texts)} characters on average")
    timed("features", features_of, texts)
    timed("language", detect, texts)
    bags = [sparse(features_of(text)) for text in texts]
    timed("intent", trained().intent.rank, bags)
    timed("masking", mask, texts)
    timed("qualification", lambda pair: findings_in(*pair), list(zip(texts, bags, strict=True)))
    timed("whole analysis", analyze, texts)
    analysed = [(message_of(text), analyze(text)) for text in texts]
    for index in (knowledge(), knowledge(LARGE // 35)):
        shelf = Shelf(Choice(), index)
        timed(
            f"draft and verdict, {len(index.chunks)} chunks",
            lambda pair, shelf=shelf: proposed_here(pair[0], pair[1], shelf),  # type: ignore[misc]
            analysed,
        )
        print(f"  {'':36}{index.size / 1024:>8.0f} KiB of index")


if __name__ == "__main__":
    main()
