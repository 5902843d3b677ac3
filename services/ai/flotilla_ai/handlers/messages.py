"""What ai does when a customer writes.

Every message is analysed, and what it says of budget, authority, need and timeline adds to how its conversation
stands. Where the conversation has AI switched on it also gets one draft, or one failed
draft that says why a person has to answer. A newer message ends what stands undecided before it, so that at
most one draft of a conversation waits for a person: one UPDATE a batch over a partial index.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.ai import MessageAnalyzed
from flotilla.events.messaging import ConversationEscalateRequested, MessageReceived
from flotilla.store.postgres import Row, Transaction

from flotilla_ai import hosted
from flotilla_ai.alarms import expire_drafts_later, report_usage_soon
from flotilla_ai.domain.analysis import Analysis
from flotilla_ai.domain.drafts import Failure, State
from flotilla_ai.domain.escalation import Need, need_of_person
from flotilla_ai.domain.qualification import Finding
from flotilla_ai.events import AUDIENCE, Origin, tell
from flotilla_ai.library import Library, Shelf
from flotilla_ai.noticing import notice
from flotilla_ai.proposals import LOCAL, Proposal, analysis_of, failed, proposed_here
from flotilla_ai.qualifying import heard_in, qualify
from flotilla_ai.store import analyses, drafts, usage
from flotilla_ai.store.usage import Usage
from flotilla_ai.violations import Judged, record

Message = Received[MessageReceived]
Key = tuple[UUID, UUID]
"""(organization, conversation), or (organization, message)."""

LONGEST_REASON: Final = 500
"""Characters of a message that who takes the conversation is shown."""
BREATH: Final = 8
"""Messages after which the process's other tasks have their turn."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is known of a message before the transaction."""

    analysis: Analysis
    shelf: Shelf
    newest: int
    """Position of the newest message known of its conversation."""
    proposal: Proposal | None
    """None where AI is switched off."""
    heard: list[Finding]
    need: Need | None
    """Why a person should take the conversation."""


async def study(app: App, batch: Sequence[Message]) -> dict[UUID, Study]:
    """Analyse and draft, by event id: reads and computing, nothing that could not be done again."""
    library: Library = app.own.library
    shelves = await library.of(app, {event.org for event in batch})
    last = await _last_of(app, batch)
    newest = _newest(batch, last)
    found = {}
    for number, event in enumerate(batch):
        before = last.get((event.org, event.data.conversation_id))
        analysis = analysis_of(event.data, before.agent if before else None)
        shelf, position = shelves[event.org], newest[event.org, event.data.conversation_id]
        proposal = _proposal(event.data, analysis, shelf, position)
        need = need_of_person(event.data.text or "", analysis) if event.data.ai_enabled else None
        heard = heard_in(event.data, analysis)
        found[event.id] = Study(analysis, shelf, position, proposal, heard, need)
        if number % BREATH == BREATH - 1:
            await asyncio.sleep(0)
    return found


@reaction(MessageReceived, lane="messages", prepare=study)
async def answer(tx: Transaction, batch: Sequence[Message], studies: dict[UUID, Study]) -> None:
    """Write down what was found, end older drafts, propose."""
    new = await analyses.insert(tx, [(event, studies[event.id].analysis) for event in batch])
    fresh = [event for event in batch if (event.org, event.data.message_id) in new]
    for event in fresh:
        _tell_analysis(tx, event, studies[event.id].analysis)
        _ask_for_person(tx, event, studies[event.id])
    await _supersede(tx, batch, studies)
    rows: list[dict[str, Any]] = []
    origins: dict[Key, Origin] = {}
    for event in batch:
        proposal = studies[event.id].proposal
        if proposal is not None:
            origins[event.org, event.data.message_id] = origin = _origin(tx, event)
            rows.append(_draft_row(tx, event, studies[event.id].analysis, proposal, origin))
    by_message = {(event.org, event.data.message_id): event for event in batch}
    written = await drafts.insert(tx, rows)
    for row in written:
        key = (row["organization_id"], row["message_id"])
        _follow(tx, row, by_message[key], origins[key])
    await record(tx, [_judged(row, by_message, studies) for row in written])
    await _account(tx, written)
    await notice(tx, [(event, studies[event.id].analysis, studies[event.id].heard) for event in fresh])
    await qualify(tx, batch, {event.id: studies[event.id].heard for event in batch})


async def _last_of(app: App, batch: Sequence[Message]) -> dict[Key, analyses.Last]:
    """The newest analysed message of each conversation that this batch did not open."""
    known = {(event.org, event.data.conversation_id) for event in batch if not event.data.first}
    if not known:
        return {}
    async with app.db.transaction({org for org, _ in known}) as tx:
        return await analyses.last_of(tx, sorted(known))


def _newest(batch: Sequence[Message], last: dict[Key, analyses.Last]) -> dict[Key, int]:
    newest = {key: before.position for key, before in last.items()}
    for event in batch:
        key = (event.org, event.data.conversation_id)
        newest[key] = max(newest.get(key, 0), event.data.position)
    return newest


def _proposal(message: MessageReceived, analysis: Analysis, shelf: Shelf, newest: int) -> Proposal | None:
    if not message.ai_enabled:
        return None
    if message.position < newest:
        return failed(Failure.SUPERSEDED)
    if analysis.injected:
        # Neither a model nor a person's click should carry out what such a text asks for.
        return failed(Failure.REFUSED, reasons=["prompt_injection"])
    if shelf.asks_elsewhere and not analysis.spam:
        return Proposal(State.REQUESTED, None, shelf.choice.provider, shelf.choice.model)
    return proposed_here(message, analysis, shelf)


def _tell_analysis(tx: Transaction, event: Message, found: Analysis) -> None:
    message = event.data
    analyzed = MessageAnalyzed(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        identity_id=message.identity_id,
        contact_id=message.contact_id,
        language=found.language.code,
        language_confidence=found.language.confidence,
        intent=found.intent,
        intent_confidence=round(found.intents.confidence, 4),
        agent=found.agent,
        pii=found.masked.counts,
    )
    tx.emit(analyzed, org=event.org, sequence=1, cause=event, audience=AUDIENCE)


def _ask_for_person(tx: Transaction, event: Message, found: Study) -> None:
    """By a wish, which costs nothing where there is no need: for most messages."""
    if found.need is None:
        return
    message, request_id = event.data, tx.app.new_id()
    wish = ConversationEscalateRequested(
        request_id=request_id,
        conversation_id=message.conversation_id,
        contact_id=message.contact_id,
        reason=found.need.reason,
        summary=found.analysis.masked.text[:LONGEST_REASON],
        priority=found.need.priority,
    )
    cause = replace(_cause(event, found.analysis.agent), request_id=request_id)
    tx.emit(wish, org=event.org, sequence=1, cause=cause, audience=AUDIENCE)


def _judged(row: Row, events: Mapping[Key, Message], studies: Mapping[UUID, Study]) -> Judged:
    event = events[row["organization_id"], row["message_id"]]
    proposal = studies[event.id].proposal
    assert proposal is not None  # it is what the row was made of
    return row, proposal, _cause(event, row["agent"])


async def _supersede(tx: Transaction, batch: Sequence[Message], studies: dict[UUID, Study]) -> None:
    newest: dict[Key, Message] = {}
    for event in batch:
        key = (event.org, event.data.conversation_id)
        if key not in newest or newest[key].data.position < event.data.position:
            newest[key] = event
    ended = await drafts.supersede(tx, {key: event.data.position for key, event in newest.items()})
    for row in ended:
        event = newest[row["organization_id"], row["conversation_id"]]
        tell(tx, row, _cause(event, studies[event.id].analysis.agent))


def _origin(tx: Transaction, event: Message) -> Origin:
    return Origin(event.cause.correlation_id, tx.app.new_id(), event.cause.traceparent)


def _cause(event: Message, agent: str) -> Cause:
    return replace(event.cause, actor=f"ai:{agent}")


def _draft_row(
    tx: Transaction, event: Message, analysis: Analysis, proposal: Proposal, origin: Origin
) -> dict[str, Any]:
    message = event.data
    return {
        "organization_id": event.org,
        "id": tx.app.new_id(),
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "position": message.position,
        "account_id": message.account_id,
        "identity_id": message.identity_id,
        "contact_id": message.contact_id,
        "agent": analysis.agent,
        "provider": proposal.provider,
        "text": proposal.text,
        "confidence": proposal.confidence,
        "citations": msgspec.to_builtins(proposal.citations),
        "verdict": msgspec.to_builtins(proposal.verdict),
        "state": proposal.state,
        "reason": proposal.reason,
        "cause": msgspec.to_builtins(origin),
        "request_id": None,
    }


def _follow(tx: Transaction, row: Row, event: Message, origin: Origin) -> None:
    """What a new draft starts: its event, or the job that will end in it."""
    cause = _cause(event, row["agent"])
    if row["state"] == State.REQUESTED:
        hosted.ask(tx, row, event.data, cause)
        return
    tell(tx, row, cause, event_id=origin.event_id)


async def _account(tx: Transaction, written: Sequence[Row]) -> None:
    """Count what the local provider did, and let what is offered grow too old. A hosted one's usage is known
    when it has answered."""
    offered = Counter(row["organization_id"] for row in written if row["state"] == State.GENERATED)
    if offered:
        await usage.add(tx, [Usage(org, LOCAL, "", count) for org, count in sorted(offered.items())])
        expire_drafts_later(tx, offered)
        report_usage_soon(tx, offered)
