"""Enrolling people: by hand, by others' wishes, by segments and campaigns, all in one way."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.campaign import SequenceStarted
from flotilla.store.postgres import Transaction

from flotilla_campaign import consents
from flotilla_campaign.domain.enrolments import Enrolment
from flotilla_campaign.running import set_due
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, listening, people, sequences


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who shall be enrolled."""

    org: UUID
    id: UUID
    """The enrolment's."""
    sequence_id: UUID
    contact_id: UUID
    cause: Cause | None = None
    """Of its first step; none: the transaction's own."""
    request_id: UUID | None = None
    """The wish that is answered."""
    more: dict[str, Any] = field(default_factory=dict)
    """`conversation_id`, `fields`, `time_zone`."""


async def enrol(tx: Transaction, candidates: Sequence[Candidate]) -> dict[UUID, Enrolment | str]:
    """Begin runs, each told of: by the candidate's id the enrolment, or why there is none: `unknown_sequence`,
    `unpublished`, `unsubscribed`, `withdrawn`, `no_consent`, `consent_expired`
    or `enrolled` (already). The lane is bound before, by the caller.
    """
    if not candidates:
        return {}
    versions = await sequences.versions(tx, ((each.org, each.sequence_id) for each in candidates))
    await people.hold(tx, ((each.org, each.contact_id) for each in candidates))
    suppressed = await people.suppressed(tx, ((each.org, each.contact_id) for each in candidates))
    now = await enrolments.now(tx)
    zones = {(each.org, each.contact_id): each.more.get("time_zone") for each in candidates}
    allowed = await consents.verdicts(tx, zones, now)
    outcome: dict[UUID, Enrolment | str] = {}
    new: list[Enrolment] = []
    for each in candidates:
        version = versions.get((each.org, each.sequence_id))
        if version is None:
            outcome[each.id] = "unknown_sequence"
        elif version == 0:
            outcome[each.id] = "unpublished"
        elif (each.org, each.contact_id) in suppressed:
            outcome[each.id] = "unsubscribed"
        elif (why := allowed[each.org, each.contact_id].refused) is not None:
            outcome[each.id] = why
        else:
            new.append(
                Enrolment(
                    organization_id=each.org,
                    id=each.id,
                    sequence_id=each.sequence_id,
                    version=version,
                    contact_id=each.contact_id,
                    due_at=now,
                    started_at=now,
                    **each.more,
                )
            )
    begun = await enrolments.add(tx, new) if new else set()
    outcome |= {each.id: each if (each.organization_id, each.id) in begun else "enrolled" for each in new}
    await _begin(tx, candidates, outcome)
    return outcome


async def _begin(
    tx: Transaction, candidates: Sequence[Candidate], outcome: dict[UUID, Enrolment | str]
) -> None:
    begun = [(each, made) for each in candidates if isinstance(made := outcome[each.id], Enrolment)]
    if begun:
        await listening.begin(tx, [(each.org, each.id) for each, _ in begun])
    for each, made in begun:
        set_due(tx, made, each.cause)
        fact = SequenceStarted(**made.what())
        tx.emit(fact, org=each.org, sequence=made.sequence, cause=_answering(each), audience=AUDIENCE)


def _answering(candidate: Candidate) -> Cause | None:
    if candidate.cause is None or candidate.request_id is None:
        return candidate.cause
    return replace(candidate.cause, request_id=candidate.request_id)
