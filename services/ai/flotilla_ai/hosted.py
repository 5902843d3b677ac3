"""Drafts by a hosted provider: a requested draft, a leased job, a deadline.

The customer's words stand sealed in the job's row until it is done; placeholders are made from them anew, in
memory, each time it is tried. A provider that cannot be used is replaced by the local one, so that a person
still has a draft where the knowledge allows one.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater, TimerKind
from flotilla.cause import Cause
from flotilla.events.messaging import MessageReceived
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.alarms import ACTOR, expire_drafts_later, report_usage_soon
from flotilla_ai.domain.analysis import Analysis
from flotilla_ai.domain.compose import KNOWN_FROM, Quote, Reply, confidence_of
from flotilla_ai.domain.drafts import Failure, State
from flotilla_ai.domain.knowledge import Hit
from flotilla_ai.domain.pii import mask
from flotilla_ai.domain.text import features_of
from flotilla_ai.events import Origin, tell
from flotilla_ai.library import Library, Shelf
from flotilla_ai.proposals import Proposal, addressee, analysis_of, judged, names_of, proposed_here
from flotilla_ai.providers.base import Answer, ProviderBusyError, ProviderError, Question, Search
from flotilla_ai.settings import AiSettings
from flotilla_ai.store import analyses, drafts, usage
from flotilla_ai.store.usage import Usage
from flotilla_ai.violations import record

log = structlog.get_logger()

DRAFT: Final = "draft"
DEADLINE: Final = "draft_deadline"
PASSAGES: Final = 5
HISTORY: Final = 6
UNCITED: Final = 0.3
"""Confidence in an answer that cites nothing."""


class Request(msgspec.Struct, frozen=True):
    """What a job needs of the message; the rest it reads anew."""

    draft_id: UUID
    agent: str
    sealed: bytes
    """The message as it came, sealed for this draft."""
    deadline: datetime
    sealed_instruction: bytes | None = None
    """What somebody wants the reply to say."""


class Deadline(msgspec.Struct, frozen=True):
    """When a person has waited long enough for a draft."""

    draft_id: UUID


def ask(
    tx: Transaction, row: Row, message: MessageReceived, cause: Cause, instruction: str | None = None
) -> None:
    """Have a requested draft made, or ended at its deadline.

    The deadline is not taken back when the draft comes in time: it finds nothing to end. Taking it back would
    have the job and a deadline that is just due wait for each other.
    """
    draft_id: UUID = row["id"]
    deadline = datetime.now(UTC) + timedelta(seconds=_settings(tx.app).ai_draft_deadline_seconds)
    sealed = tx.app.keyring.seal(msgspec.json.encode(message), draft_id.bytes)
    wanted = tx.app.keyring.seal(instruction.encode(), draft_id.bytes) if instruction else None
    request = Request(draft_id, row["agent"], sealed, deadline, wanted)
    tx.enqueue(DRAFT, str(draft_id), request, org=row["organization_id"], cause=cause)
    tx.set_timer(
        DEADLINE, str(draft_id), deadline, Deadline(draft_id), org=row["organization_id"], cause=cause
    )


async def _perform(app: App, job: Job) -> Proposal | None:
    """The proposal; None where nobody waits for it any more."""
    request: Request = job.payload
    opened = app.keyring.open(request.sealed, request.draft_id.bytes)
    message = msgspec.json.decode(opened, type=MessageReceived)
    library: Library = app.own.library
    shelf = (await library.of(app, [job.org]))[job.org]
    # The agent was chosen with the conversation in view; a second look has only the message.
    analysis = replace(analysis_of(message), agent=request.agent)
    if not shelf.asks_elsewhere:
        return proposed_here(message, analysis, shelf)
    try:
        question = await _question(app, job, message, analysis, shelf)
        if question is None:
            return None
        answer = await app.own.providers.ask(job.org, shelf.choice, question, _search(shelf, analysis))
    except ProviderBusyError as error:
        if _in_time(app, request, error.after):
            raise RetryLater(error.after, "the provider is busy") from error
        return _instead(message, analysis, shelf, error)
    except ProviderError as error:
        return _instead(message, analysis, shelf, error)
    return _judged(answer, message, analysis, shelf)


async def _finish(tx: Transaction, job: Job, proposal: Proposal | None) -> None:
    request: Request = job.payload
    if proposal is None:
        return
    row = await drafts.generated(
        tx,
        job.org,
        request.draft_id,
        state=proposal.state,
        reason=proposal.reason,
        provider=proposal.provider,
        text=proposal.text,
        confidence=proposal.confidence,
        citations=msgspec.to_builtins(proposal.citations),
        verdict=msgspec.to_builtins(proposal.verdict),
    )
    if row is not None:
        tell(tx, row, job.cause, event_id=Origin.of(row).event_id)
        await record(tx, [(row, proposal, job.cause)])
    if row is not None and row["state"] == State.GENERATED:
        expire_drafts_later(tx, [job.org])
    if proposal.input_tokens or proposal.output_tokens:
        used = Usage(
            job.org, proposal.provider, proposal.model, 1, proposal.input_tokens, proposal.output_tokens
        )
        await usage.add(tx, [used])
        report_usage_soon(tx, [job.org])


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    await _end(tx, job, job.payload.draft_id, Failure.UNAVAILABLE)


async def _too_late(tx: Transaction, job: Job) -> None:
    await _end(tx, job, job.payload.draft_id, Failure.DEADLINE)


async def _end(tx: Transaction, job: Job, draft_id: UUID, reason: Failure) -> None:
    row = await drafts.fail(tx, job.org, draft_id, reason)
    if row is not None:
        tell(tx, row, replace(job.cause, actor=ACTOR), event_id=Origin.of(row).event_id)


async def _question(
    app: App, job: Job, message: MessageReceived, analysis: Analysis, shelf: Shelf
) -> Question | None:
    async with app.db.transaction(job.org) as tx:
        row = await drafts.read(tx, job.org, job.payload.draft_id)
        if row is None or row["state"] != State.REQUESTED:
            return None
        before = await analyses.said_before(tx, job.org, message.conversation_id, message.position, HISTORY)
    to = addressee(message, analysis, shelf)
    return Question(
        text=analysis.masked.text,
        language=to.language,
        agent=analysis.agent,
        tone=to.tone,
        intent=analysis.intent,
        greet=to.greet,
        said_before=tuple((asked, _masked(answered, message)) for asked, answered in before),
        hits=tuple(_known(shelf.index.search(analysis.features, to.language, PASSAGES))),
        instruction=_instruction(app, job.payload),
    )


def _instruction(app: App, request: Request) -> str | None:
    if request.sealed_instruction is None:
        return None
    return app.keyring.open(request.sealed_instruction, request.draft_id.bytes).decode()


def _masked(answered: str | None, message: MessageReceived) -> str | None:
    """What a person wrote earlier may name the customer too."""
    return mask(answered, names=names_of(message)).text if answered else None


def _search(shelf: Shelf, analysis: Analysis) -> Search:
    def search(query: str) -> list[Hit]:
        return _known(shelf.index.search(features_of(query), analysis.language.code, PASSAGES))

    return search


def _known(hits: list[Hit]) -> list[Hit]:
    return [hit for hit in hits if hit.score >= KNOWN_FROM]


def _judged(answer: Answer, message: MessageReceived, analysis: Analysis, shelf: Shelf) -> Proposal:
    quotes = tuple(Quote(hit.chunk, hit.chunk.text, hit.score) for hit in answer.cited)
    confidence = confidence_of(max(quote.score for quote in quotes)) if quotes else UNCITED
    reply = Reply(analysis.masked.restore(answer.text), quotes, confidence) if answer.text else None
    proposal = judged(
        reply,
        message,
        analysis,
        provider=shelf.choice.provider,
        model=answer.model,
        policies=shelf.policies,
    )
    return replace(
        proposal, model=answer.model, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens
    )


def _instead(message: MessageReceived, analysis: Analysis, shelf: Shelf, error: ProviderError) -> Proposal:
    log.warning("provider.unavailable", provider=shelf.choice.provider, error=str(error))
    proposal = proposed_here(message, analysis, shelf)
    if proposal.reason is Failure.NOTHING_KNOWN:
        return replace(proposal, reason=Failure.UNAVAILABLE, provider=shelf.choice.provider)
    return proposal


def _in_time(app: App, request: Request, after: timedelta) -> bool:
    """Whether a second try can end before the deadline."""
    needed = after + timedelta(seconds=_settings(app).ai_provider_seconds)
    return datetime.now(UTC) + needed < request.deadline


def _settings(app: App) -> AiSettings:
    return cast(AiSettings, app.settings)


draft = JobKind(
    kind=DRAFT,
    payload=Request,
    perform=_perform,
    finish=_finish,
    give_up=_give_up,
    lease=timedelta(seconds=60),
    attempts=3,
    concurrency=16,
)
draft_deadline = TimerKind(kind=DEADLINE, payload=Deadline, fire=_too_late)
