"""What people do with sequences and enrolments: each command changes one and tells of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from flotilla.consent.rules import explained
from flotilla.http import ConflictError
from flotilla.store.postgres import Transaction

from flotilla_campaign import consents, enrolling, experiments
from flotilla_campaign.domain.enrolments import Enrolment, EnrolmentState
from flotilla_campaign.domain.sequences import SequenceDraft, SequenceState
from flotilla_campaign.enrolling import Candidate
from flotilla_campaign.own import settings
from flotilla_campaign.running import write
from flotilla_campaign.store import enrolments, sequences


async def create(tx: Transaction, org: UUID, values: Mapping[str, Any]) -> SequenceDraft:
    """Make a sequence; nobody can be enrolled before its first version is published."""
    limit = settings(tx.app).sequences_limit
    if await sequences.count(tx, org) >= limit:
        raise ConflictError(f"An organization has at most {limit} sequences: delete one.")
    now = datetime.now(UTC)
    return await sequences.add(
        tx, org, SequenceDraft(id=tx.app.new_id(), created_at=now, updated_at=now, **values)
    )


async def change(
    tx: Transaction, org: UUID, draft: SequenceDraft, values: Mapping[str, Any]
) -> SequenceDraft:
    """Change what the next version will say; enrolments go on with the version that they began with."""
    revised = replace(draft, **values)
    return draft if revised == draft else await sequences.save(tx, org, revised)


async def publish(tx: Transaction, org: UUID, draft: SequenceDraft) -> SequenceDraft:
    """Make its present steps the next version, which people are enrolled in from here on."""
    published = await sequences.save(tx, org, replace(draft, version=draft.version + 1))
    await sequences.add_version(tx, org, published)
    await experiments.begin(tx, org, published)
    return published


async def delete(tx: Transaction, org: UUID, draft: SequenceDraft) -> SequenceDraft:
    """Nobody is enrolled any more; those who are go on to their end."""
    return await sequences.save(tx, org, replace(draft, state=SequenceState.DELETED))


REFUSALS: Final = {
    "unknown_sequence": "The sequence was deleted.",
    "unpublished": "The sequence has no version yet: publish one.",
    "unsubscribed": "This person has unsubscribed, or cannot be reached.",
    "enrolled": "This person is in the sequence already.",
}


async def enrol(tx: Transaction, org: UUID, sequence_id: UUID, values: Mapping[str, Any]) -> Enrolment:
    """Begin a run; ConflictError where the person is in it already, or has unsubscribed."""
    more = dict(values)
    candidate = Candidate(org, tx.app.new_id(), sequence_id, more.pop("contact_id"), more=more)
    made = (await enrolling.enrol(tx, [candidate]))[candidate.id]
    if isinstance(made, str):
        raise ConflictError(REFUSALS.get(made) or await _why(tx, candidate, made))
    return made


async def _why(tx: Transaction, candidate: Candidate, refusal: str) -> str:
    """By whose law: the organization's, or that of where the person lives."""
    person, now = (candidate.org, candidate.contact_id), await enrolments.now(tx)
    found = await consents.verdicts(tx, {person: candidate.more.get("time_zone")}, now)
    return explained(found[person].region, refusal)


async def pause(tx: Transaction, enrolment: Enrolment) -> Enrolment:
    """Begin no further step; replies and unsubscribing still stop it."""
    if enrolment.state is EnrolmentState.PAUSED:
        return enrolment
    return await write(tx, replace(_alive(enrolment), state=EnrolmentState.PAUSED))


async def resume(tx: Transaction, enrolment: Enrolment) -> Enrolment:
    """Go on; what came due meanwhile is due at once."""
    if enrolment.state is EnrolmentState.ACTIVE:
        return enrolment
    return await write(tx, replace(_alive(enrolment), state=EnrolmentState.ACTIVE))


async def stop(tx: Transaction, enrolment: Enrolment) -> Enrolment:
    """Go no further; a message that was asked for is not called back."""
    return await write(tx, _alive(enrolment).stopped(await enrolments.now(tx), "stopped"))


def _alive(enrolment: Enrolment) -> Enrolment:
    if not enrolment.live:
        raise ConflictError(f"The enrolment is {enrolment.state}.")
    return enrolment
