"""Teams at work: whom a client is given to, and what follows when somebody belongs to a team no longer."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from flotilla.events import auth as told
from flotilla.problems import ConflictError, UnprocessableError
from flotilla.store.postgres import Transaction

from flotilla_auth.domain import teams as rules
from flotilla_auth.domain.teams import Candidate, Choice, Member, Team
from flotilla_auth.events import ORG
from flotilla_auth.store import assignments, teams
from flotilla_auth.store.assignments import Assignment


async def assign(
    tx: Transaction, team: Team, contact_id: UUID, *, skill: str | None, user_id: UUID | None
) -> Assignment:
    """Give a client to somebody of a team that the transaction holds: to `user_id`, or to whose turn it is.

    Whoever takes care of them already goes on, unless somebody else is named; 409 where nobody can.
    """
    held = await assignments.claim(tx, team.organization_id, contact_id, team.id)
    candidates = await assignments.candidates(tx, team.organization_id, team.id)
    current = held.user_id if held.team_id == team.id else None
    keeps = current is not None and any(each.user_id == current for each in candidates)
    if keeps and user_id in (None, current):
        return held
    choice: Choice | None
    if user_id is not None:
        if all(each.user_id != user_id for each in candidates):
            raise _unprocessable("user_id", "is no active member of the team")
        choice = Choice(user_id, rules.CHOSEN)
    else:
        if skill is None and team.distribution == rules.BY_SKILL:
            raise _unprocessable("skill", "is what this team's clients are distributed by")
        last = held.last_user_id if held.team_id == team.id else None
        candidates = await _in_their_hours(tx, team, candidates)
        choice = rules.choose(team, candidates, skill=skill, last=last)
    if choice is None:
        raise ConflictError("Nobody of the team can take another client now.")
    if choice.reason not in (rules.CHOSEN, rules.STICKY):
        await assignments.had_turn(tx, team.organization_id, team.id, choice.user_id, choice.earned)
    saved = await assignments.save(
        tx, held, team_id=team.id, user_id=choice.user_id, reason=choice.reason, skill=skill
    )
    _tell(tx, saved, held.user_id)
    return saved


async def _in_their_hours(tx: Transaction, team: Team, candidates: list[Candidate]) -> list[Candidate]:
    """The same, with who of them is at work: all while the team is, else who is in another team that is."""
    now = datetime.now(UTC)
    if team.is_open(now):
        return candidates
    beside = await teams.hours_beside(tx, team, [each.user_id for each in candidates])
    at_work = {user_id for user_id, time_zone, hours in beside if rules.works(time_zone, hours, now)}
    return [replace(each, at_work=each.user_id in at_work) for each in candidates]


async def release(tx: Transaction, held: Assignment) -> None:
    """Nobody takes care of a client any more whose assignment the transaction holds."""
    if held.user_id is not None:
        saved = await assignments.save(
            tx, held, team_id=held.team_id, user_id=None, reason=rules.RELEASED, skill=None
        )
        _tell(tx, saved, held.user_id)


async def leave(tx: Transaction, organization_id: UUID, user_id: UUID, team_id: UUID | None) -> bool:
    """Somebody belongs no longer to a team that the transaction holds, or to any; whether they did.

    Their clients wait for somebody else.
    """
    if team_id is None:
        await teams.lock_teams_of(tx, organization_id, user_id)
    gone = await teams.remove_member(tx, organization_id, user_id, team_id)
    for member in gone:
        tell_member(tx, told.TeamMemberRemoved, member, member.sequence + 1)
    if gone:
        for released in await assignments.release_of(tx, organization_id, user_id, team_id):
            _tell(tx, released, user_id)
    return bool(gone)


def tell_member(
    tx: Transaction, type_: type[told.TeamMember], member: Member, sequence: int | None = None
) -> None:
    """Emit the state of a membership."""
    event = type_(
        membership_id=member.id,
        team_id=member.team_id,
        user_id=member.user_id,
        lead=member.lead,
        skills=member.skills,
        capacity=member.capacity,
        weight=member.weight,
    )
    tx.emit(event, org=member.organization_id, sequence=sequence or member.sequence, audience=ORG)


def _tell(tx: Transaction, now: Assignment, before: UUID | None) -> None:
    event = told.ClientAssigned(
        contact_id=now.contact_id,
        team_id=now.team_id,
        user_id=now.user_id,
        before_user_id=before,
        reason=now.reason,
        skill=now.skill,
        changed={"user_id": [before, now.user_id]},
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence, audience=ORG)


def _unprocessable(field: str, detail: str) -> UnprocessableError:
    return UnprocessableError(
        "The client cannot be given to anybody so.", errors=[{"pointer": f"/{field}", "detail": detail}]
    )
