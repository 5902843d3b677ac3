"""Summaries: a leased job reads what is known of a conversation, and chooses from it or has a hosted model write."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.ai import ConversationSummarized
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.alarms import report_usage_soon
from flotilla_ai.domain.pii import mask
from flotilla_ai.domain.summary import Turn, extract
from flotilla_ai.events import AUDIENCE
from flotilla_ai.library import Library
from flotilla_ai.proposals import LOCAL
from flotilla_ai.providers.base import ProviderBusyError, ProviderError
from flotilla_ai.providers.prompt import messages_for_summary
from flotilla_ai.store import analyses, summaries, usage
from flotilla_ai.store.usage import Usage

log = structlog.get_logger()

KIND: Final = "summary"
ACTOR: Final = "service:ai"
TURNS: Final = 100
"""Of the newest messages: what a summary is made of."""
LONGEST: Final = 4_000
"""Characters: what an event may carry, in the widest letters."""


class Conversation(msgspec.Struct, frozen=True):
    """What shall be summarised."""

    conversation_id: UUID


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of it."""

    position: int
    identity_id: UUID
    contact_id: UUID | None
    text: str
    language: str
    intents: list[str]
    messages: int
    provider: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


def ask(
    tx: Transaction,
    org: UUID,
    conversation_id: UUID,
    position: int,
    cause: Received[Any] | Cause | None = None,
) -> None:
    """Have a conversation summarised as it stands at that position; asked for twice meanwhile, once."""
    key = f"{conversation_id}:{position}"
    tx.enqueue(KIND, key, Conversation(conversation_id), org=org, cause=cause)


async def _perform(app: App, job: Job) -> Summary | None:
    """The summary; None where nothing is known any more."""
    async with app.db.transaction(job.org) as tx:
        rows = await analyses.turns(tx, job.org, job.payload.conversation_id, TURNS)
    if not rows:
        return None
    library: Library = app.own.library
    shelf = (await library.of(app, [job.org]))[job.org]
    turns = [Turn(row["asked"], mask(row["answered"]).text if row["answered"] else None) for row in rows]
    chosen = _local(rows, turns)
    if not shelf.asks_elsewhere:
        return chosen
    said = [(turn.asked, turn.answered) for turn in turns]
    try:
        answer = await app.own.providers.complete(job.org, shelf.choice, messages_for_summary(said))
    except ProviderBusyError as error:
        if job.attempt < ATTEMPTS:
            raise RetryLater(error.after, "the provider is busy") from error
        return chosen
    except ProviderError as error:
        log.warning("provider.unavailable", provider=shelf.choice.provider, error=type(error).__name__)
        return chosen
    return replace(
        chosen,
        text=answer.text[:LONGEST],
        provider=shelf.choice.provider,
        model=answer.model,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
    )


def _local(rows: Sequence[Row], turns: Sequence[Turn]) -> Summary:
    return Summary(
        position=rows[-1]["position"],
        identity_id=rows[-1]["identity_id"],
        contact_id=next((row["contact_id"] for row in reversed(rows) if row["contact_id"]), None),
        text=extract(turns)[:LONGEST],
        language=rows[-1]["language"],
        intents=list(dict.fromkeys(row["intent"] for row in rows)),
        messages=len(turns) + sum(turn.answered is not None for turn in turns),
        provider=LOCAL,
    )


async def _finish(tx: Transaction, job: Job, made: Summary | None) -> None:
    if made is None:
        return
    row = await summaries.add(
        tx,
        job.org,
        job.payload.conversation_id,
        position=made.position,
        text=made.text,
        language=made.language,
        intents=made.intents,
        messages=made.messages,
        provider=made.provider,
        identity_id=made.identity_id,
        contact_id=made.contact_id,
    )
    if made.input_tokens or made.output_tokens:
        used = Usage(job.org, made.provider, made.model, 1, made.input_tokens, made.output_tokens)
        await usage.add(tx, [used])
        report_usage_soon(tx, [job.org])
    if row is not None:
        cause = replace(job.cause, actor=ACTOR)
        tx.emit(_event(row), org=job.org, sequence=row["sequence"], cause=cause, audience=AUDIENCE)


async def _give_up(_tx: Transaction, job: Job, error: Exception) -> None:
    log.error("summary.given_up", org=str(job.org), key=job.key, error=type(error).__name__)


def _event(row: Row) -> ConversationSummarized:
    return ConversationSummarized(
        summary_id=row["id"],
        conversation_id=row["conversation_id"],
        identity_id=row["identity_id"],
        contact_id=row["contact_id"],
        position=row["position"],
        text=row["text"],
        language=row["language"],
        intents=row["intents"],
        messages=row["messages"],
        provider=row["provider"],
        summarized_at=row["created_at"],
    )


ATTEMPTS: Final = 3
summary = JobKind(
    kind=KIND,
    payload=Conversation,
    perform=_perform,
    finish=_finish,
    give_up=_give_up,
    lease=timedelta(seconds=60),
    attempts=ATTEMPTS,
    concurrency=4,
)
