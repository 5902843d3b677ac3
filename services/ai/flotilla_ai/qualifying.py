"""Folds what messages say into how their conversations stand, and tells once of each that qualifies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.ai import Evidence, LeadQualified, Signal
from flotilla.events.base import Money
from flotilla.events.messaging import MessageReceived
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.domain.analysis import Analysis
from flotilla_ai.domain.qualification import Entry, Finding, Standing, findings_in, folded
from flotilla_ai.domain.qualification.signals import scorer
from flotilla_ai.events import AUDIENCE
from flotilla_ai.settings import AiSettings
from flotilla_ai.store import qualifications as store
from flotilla_ai.store.qualifications import Held, Opening

Message = Received[MessageReceived]
Key = tuple[UUID, UUID]
"""(organization, conversation)."""

ACTOR: Final = "ai:sales"


def heard_in(message: MessageReceived, analysis: Analysis) -> list[Finding]:
    """What a message says of budget, authority, need and timeline; nothing where it should not be believed."""
    if analysis.spam or analysis.injected:
        return []
    return findings_in(message.text or "", analysis.bag)


async def qualify(tx: Transaction, batch: Sequence[Message], heard: Mapping[UUID, list[Finding]]) -> None:
    """Fold a batch's findings, by event id. Most messages have none, and cost nothing here."""
    telling = [event for event in batch if heard[event.id]]
    if not telling:
        return
    latest: dict[Key, Message] = {}
    new: dict[Key, list[Entry]] = {}
    for event in sorted(telling, key=lambda event: event.data.position):
        message, key = event.data, (event.org, event.data.conversation_id)
        latest[key] = event
        entries = [Entry.of(finding, message.message_id, message.position) for finding in heard[event.id]]
        new.setdefault(key, []).extend(entries)
    held = await store.hold(tx, [_opening(tx, event) for event in latest.values()])
    for each in held:
        each.entries[:] = folded(each.entries, new[each.org, each.conversation_id])
    causes = {key: replace(event.cause, actor=ACTOR) for key, event in latest.items()}
    await settle(tx, held, causes)


async def settle(
    tx: Transaction, held: Sequence[Held], causes: Mapping[Key, Cause] | None = None
) -> list[Row]:
    """Save how held conversations stand now; tell of those that qualify and never did before.

    `causes` by conversation; without them the request is the cause.
    """
    threshold = cast(AiSettings, tx.app.settings).ai_qualified_from
    standings = {(each.org, each.id): Standing.of(each.entries) for each in held}
    before = {(each.org, each.id): each for each in held}
    rows = await store.save(tx, [_saved(each, standings[each.org, each.id], threshold) for each in held])
    for row in rows:
        key = (row["organization_id"], row["id"])
        if row["qualified_at"] is not None and before[key].qualified_at is None:
            cause = causes[row["organization_id"], row["conversation_id"]] if causes else None
            tx.emit(
                _qualified(row, standings[key]),
                org=row["organization_id"],
                sequence=row["sequence"],
                cause=cause,
                audience=AUDIENCE,
            )
    return rows


def _opening(tx: Transaction, event: Message) -> Opening:
    message = event.data
    return Opening(
        event.org, tx.app.new_id(), message.conversation_id, message.identity_id, message.contact_id
    )


def _saved(held: Held, standing: Standing, threshold: int) -> dict[str, Any]:
    return {
        "organization_id": held.org,
        "id": held.id,
        "entries": msgspec.to_builtins(held.entries),
        "total": standing.total,
        "model": scorer().version,
        "qualified": standing.total >= threshold,
    }


def _qualified(row: Row, standing: Standing) -> LeadQualified:
    budget = standing.budget
    return LeadQualified(
        qualification_id=row["id"],
        conversation_id=row["conversation_id"],
        identity_id=row["identity_id"],
        contact_id=row["contact_id"],
        score=standing.total,
        confidence=standing.confidence,
        signals=[
            Signal(
                question=letter.question,
                score=letter.score,
                confidence=letter.confidence,
                evidence=[
                    Evidence(message_id=entry.message_id, start=start, end=end)
                    for entry in letter.entries
                    for start, end in entry.spans
                ],
            )
            for letter in standing.letters
        ],
        budget=Money(amount_minor=budget[0], currency=budget[1]) if budget else None,
        model=row["model"],
        qualified_at=row["qualified_at"],
    )
