"""Replies that somebody asks for: a rule, or a person, perhaps with what it shall say.

The reply answers the conversation's newest message. Its words are not kept, so the local provider looks for an
answer to the instruction, and without one to the masked text; a hosted model is told both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.ai import DraftFailed, DraftRequested, Verdict
from flotilla.events.messaging import MessageReceived
from flotilla.sagas import wishes
from flotilla.store.postgres import Row, Transaction

from flotilla_ai import hosted
from flotilla_ai.alarms import expire_drafts_later, report_usage_soon
from flotilla_ai.domain.drafts import Failure, State
from flotilla_ai.events import AUDIENCE, Origin, tell
from flotilla_ai.library import Library, Shelf
from flotilla_ai.proposals import LOCAL, Proposal, analysis_of, failed, proposed_here
from flotilla_ai.store import analyses, drafts, usage
from flotilla_ai.store.usage import Usage
from flotilla_ai.violations import record

LANE: Final = "wishes"
Wish = Received[DraftRequested]
Key = tuple[UUID, UUID]
"""(organization, conversation)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a wish will become."""

    latest: Row
    """The analysis of the message that it answers."""
    message: MessageReceived
    proposal: Proposal


async def prepare(app: App, batch: Sequence[Wish]) -> dict[UUID, Prepared]:
    """Look for answers, by event id; wishes of conversations in which no customer wrote are missing."""
    async with app.db.transaction({event.org for event in batch}) as tx:
        latest = await analyses.latest(tx, [_key(event) for event in batch])
    library: Library = app.own.library
    shelves = await library.of(app, {event.org for event in batch})
    return {
        event.id: _prepared(event, latest[_key(event)], shelves[event.org])
        for event in batch
        if _key(event) in latest
    }


@reaction(DraftRequested, lane=LANE, prepare=prepare)
async def propose(tx: Transaction, batch: Sequence[Wish], prepared: Mapping[UUID, Prepared]) -> None:
    """Propose what was asked for, instead of what waits undecided; say why there is nothing to propose."""
    granted, _ = await wishes.take(tx, batch)
    last: dict[Key, Wish] = {}
    for event in sorted(granted, key=lambda each: each.id):
        if event.id in prepared:
            last[_key(event)] = event
        else:
            _unknown(tx, event)
    if not last:
        return
    ended = await drafts.supersede(
        tx, {key: prepared[event.id].latest["position"] + 1 for key, event in last.items()}
    )
    for row in ended:
        by = last[row["organization_id"], row["conversation_id"]]
        tell(tx, row, replace(by.cause, request_id=None))
    known = [event for event in granted if event.id in prepared]
    made = {event.id: _made(event, prepared[event.id], last[_key(event)] is event) for event in known}
    rows = [_row(tx, event, prepared[event.id], made[event.id]) for event in known]
    by_request = {event.data.request_id: event for event in known}
    written = await drafts.insert(tx, rows)
    for row in written:
        event = by_request[row["request_id"]]
        _follow(tx, row, event, prepared[event.id])
    judged = [(row, by_request[row["request_id"]]) for row in written]
    await record(tx, [(row, made[event.id], _cause(event)) for row, event in judged])
    await _account(tx, written)


def _key(event: Wish) -> Key:
    return event.org, event.data.conversation_id


def _prepared(event: Wish, latest: Row, shelf: Shelf) -> Prepared:
    text = latest["masked_text"] or ""
    message = MessageReceived(
        message_id=latest["id"],
        conversation_id=latest["conversation_id"],
        position=latest["position"],
        account_id=latest["account_id"] or latest["id"],
        channel="",
        identity_id=latest["identity_id"],
        contact_id=latest["contact_id"],
        assignee_id=None,
        sender=None,
        text=text,
        sent_at=event.envelope.time,
        ai_enabled=True,
        first=False,
    )
    if shelf.asks_elsewhere:
        return Prepared(
            latest, message, Proposal(State.REQUESTED, None, shelf.choice.provider, shelf.choice.model)
        )
    sought = _saying(message, event.data.instruction or text)
    analysis = replace(analysis_of(sought), agent=latest["agent"])
    return Prepared(latest, message, proposed_here(sought, analysis, shelf))


def _saying(message: MessageReceived, text: str) -> MessageReceived:
    """The same message, as if it said something else."""
    return msgspec.structs.replace(message, text=text)


def _made(event: Wish, prepared: Prepared, newest: bool) -> Proposal:
    """Of several wishes at once for one conversation the last one counts."""
    return prepared.proposal if newest else failed(Failure.SUPERSEDED)


def _row(tx: Transaction, event: Wish, prepared: Prepared, proposal: Proposal) -> dict[str, Any]:
    latest = prepared.latest
    origin = Origin(event.cause.correlation_id, tx.app.new_id(), event.cause.traceparent)
    return {
        "organization_id": event.org,
        "id": event.data.request_id,
        "message_id": latest["id"],
        "conversation_id": latest["conversation_id"],
        "position": latest["position"],
        "account_id": latest["account_id"],
        "identity_id": latest["identity_id"],
        "contact_id": latest["contact_id"],
        "agent": latest["agent"],
        "provider": proposal.provider,
        "text": proposal.text,
        "confidence": proposal.confidence,
        "citations": msgspec.to_builtins(proposal.citations),
        "verdict": msgspec.to_builtins(proposal.verdict),
        "state": proposal.state,
        "reason": proposal.reason,
        "cause": msgspec.to_builtins(origin),
        "request_id": event.data.request_id,
    }


def _follow(tx: Transaction, row: Row, event: Wish, prepared: Prepared) -> None:
    cause = _cause(event)
    if row["state"] == State.REQUESTED:
        hosted.ask(tx, row, prepared.message, cause, event.data.instruction)
    else:
        tell(tx, row, cause, event_id=Origin.of(row).event_id)


def _unknown(tx: Transaction, event: Wish) -> None:
    failed_ = DraftFailed(
        draft_id=event.data.request_id,
        message_id=None,
        conversation_id=event.data.conversation_id,
        account_id=None,
        identity_id=None,
        contact_id=None,
        agent="",
        provider=LOCAL,
        text=None,
        confidence=0.0,
        citations=[],
        verdict=Verdict(allowed=True, reasons=[]),
        state=State.FAILED,
        reason=Failure.UNKNOWN_CONVERSATION,
        generated_at=event.envelope.time,
        decided_at=None,
        decided_by=None,
    )
    tx.emit(failed_, org=event.org, sequence=1, cause=_cause(event), audience=AUDIENCE)


async def _account(tx: Transaction, written: Sequence[Row]) -> None:
    offered = sorted(row["organization_id"] for row in written if row["state"] == State.GENERATED)
    if offered:
        await usage.add(tx, [Usage(org, LOCAL, "", 1) for org in offered])
        expire_drafts_later(tx, offered)
        report_usage_soon(tx, offered)


def _cause(event: Wish) -> Cause:
    return replace(event.cause, request_id=event.data.request_id)
