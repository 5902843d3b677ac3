"""Conversations that the AI or a rule wants a person to take."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import Team, TeamCreated, TeamUpdated
from flotilla.events.messaging import ConversationEscalateFailed, ConversationEscalateRequested
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.escalations import LONGEST_SUMMARY, PRIORITIES, Escalation
from flotilla_messaging.escalating import Wanted, escalate
from flotilla_messaging.events import AUDIENCE
from flotilla_messaging.store import escalations

Requested = Received[ConversationEscalateRequested]
Key = tuple[UUID, UUID]


@projection(TeamCreated, TeamUpdated, lane="directory", tables=("teams",))
async def keep_teams(tx: Transaction, batch: Sequence[Received[Team]]) -> None:
    """To whom conversations may be given."""
    await tx.execute(
        escalations.KEEP_TEAMS,
        [event.org for event in batch],
        [event.data.team_id for event in batch],
        [event.data.state for event in batch],
        [event.sequence for event in batch],
    )


@reaction(ConversationEscalateRequested, lane="directory")
async def grant_escalations(tx: Transaction, batch: Sequence[Requested]) -> None:
    """Escalate what shall be, in the order in which it was asked for; say why one is not."""
    granted, _ = await wishes.take(tx, batch)
    ordered = sorted(granted, key=lambda event: event.id)
    teams = {(event.org, event.data.team_id) for event in ordered if event.data.team_id is not None}
    known = await escalations.known_teams(tx, teams)
    wanted, refused = [], []
    for event in ordered:
        reason = _refusal(event, known)
        if reason is None:
            wanted.append(_wanted(event))
        else:
            refused.append((event, reason))
    standing = await escalate(tx, wanted) if wanted else {}
    refused += [
        (event, "unknown_conversation")
        for event in ordered
        if event.data.conversation_id not in standing and event not in [each for each, _ in refused]
    ]
    for event, reason in refused:
        _refuse(tx, event, reason)


def _refusal(event: Requested, known: set[Key]) -> str | None:
    if event.data.priority not in PRIORITIES:
        return "unknown_priority"
    if event.data.team_id is not None and (event.org, event.data.team_id) not in known:
        return "unknown_team"
    return None


def _wanted(event: Requested) -> Wanted:
    wish = event.data
    escalation = Escalation(
        organization_id=event.org,
        id=wish.request_id,
        conversation_id=wish.conversation_id,
        reason=wish.reason,
        summary=wish.summary[:LONGEST_SUMMARY] if wish.summary else None,
        priority=wish.priority,
        team_id=wish.team_id,
        escalated_by=event.envelope.actor or event.envelope.source.replace("/flotilla/", "service:"),
        created_at=event.envelope.time,
    )
    return Wanted(escalation, replace(event.cause, request_id=wish.request_id))


def _refuse(tx: Transaction, event: Requested, reason: str) -> None:
    wish = event.data
    failed = ConversationEscalateFailed(
        request_id=wish.request_id, conversation_id=wish.conversation_id, reason=reason
    )
    cause = replace(event.cause, request_id=wish.request_id)
    tx.emit(failed, org=event.org, sequence=1, cause=cause, audience=AUDIENCE)
