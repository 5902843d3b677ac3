"""Teams, and to which of their members a client is given. Pure: whoever calls holds the team's row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flotilla.events.auth import WorkingHours

ROUND_ROBIN: Final = "round_robin"
WEIGHTED: Final = "weighted"
LEAST_LOADED: Final = "least_loaded"
BY_SKILL: Final = "by_skill"
STICKY: Final = "sticky"
CHOSEN: Final = "chosen"
RELEASED: Final = "released"
ACTIVE: Final = "active"
ONLINE: Final = "online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Some people of an organization who share clients."""

    organization_id: UUID
    id: UUID
    name: str
    skills: list[str]
    distribution: str
    sticky: bool
    time_zone: str
    hours: list[WorkingHours]
    """None: always."""
    state: str
    turn: UUID | None
    """Whose turn it was last."""
    sequence: int
    created_at: datetime

    def is_open(self, now: datetime) -> bool:
        """Whether it works at this moment."""
        return works(self.time_zone, self.hours, now)


def works(time_zone: str, hours: Sequence[WorkingHours], now: datetime) -> bool:
    """Whether these are hours of work at this moment; without any they always are."""
    local = now.astimezone(ZoneInfo(time_zone))
    clock, weekday = f"{local:%H:%M}", local.isoweekday()
    return not hours or any(
        window.weekday == weekday and window.opens <= clock < window.closes for window in hours
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person's membership of a team."""

    organization_id: UUID
    id: UUID
    team_id: UUID
    user_id: UUID
    lead: bool
    skills: list[str]
    capacity: int
    """How many clients they can have at once, of this team."""
    weight: int
    sequence: int
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An active member as they stand when a client is to be given to somebody."""

    user_id: UUID
    skills: Sequence[str]
    capacity: int
    weight: int
    load: int
    """How many clients of the team they have."""
    credit: int
    """What their weight has earned them so far."""
    presence: str
    at_work: bool = True
    """Whether a team of theirs works at this moment, this one or another."""

    @property
    def standing(self) -> int:
        """How soon they come to it: 3, online in hours of work; 2, online all the same; 1, in hours of work; 0."""
        return 2 * (self.presence == ONLINE) + self.at_work

    def can_take(self, skill: str | None) -> bool:
        """Whether there is room, and they know what is asked for."""
        return self.load < self.capacity and (skill is None or skill in self.skills)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is given the client, why, and what members' weights have earned them after it."""

    user_id: UUID
    reason: str
    earned: dict[UUID, int] = field(default_factory=dict)


def choose(
    team: Team, candidates: Sequence[Candidate], *, skill: str | None, last: UUID | None
) -> Choice | None:
    """Who of the team is given a client whom `last` took care of before; None where nobody can take another.

    Who is online comes before who is not, and of both who is in hours of work before who is not; where nobody is
    either, the client waits with somebody who will be. Clients of a sticky team go back to who had them, unless that
    one is neither and somebody else is: nobody waits for the morning while another works.
    """
    able = sorted((each for each in candidates if each.can_take(skill)), key=lambda each: each.user_id)
    turns = [each for each in able if each.weight > 0 or team.distribution != WEIGHTED]
    best = max((each.standing for each in turns), default=0)
    before = next((each for each in able if each.user_id == last), None)
    if team.sticky and before is not None and (before.standing > 0 or best == 0):
        return Choice(before.user_id, STICKY)
    there = [each for each in turns if each.standing == best]
    if not there:
        return None
    match team.distribution:
        case "round_robin":
            return Choice(_next(there, team.turn).user_id, ROUND_ROBIN)
        case "weighted":
            return _weighted(there)
        case reason:
            return Choice(_least_loaded(there, team.turn).user_id, reason)


def _next(there: Sequence[Candidate], turn: UUID | None) -> Candidate:
    """The one after whose turn it was, in the order of their ids, and round again."""
    later = [each for each in there if turn is None or each.user_id > turn]
    return (later or there)[0]


def _least_loaded(there: Sequence[Candidate], turn: UUID | None) -> Candidate:
    """Who has the smallest share of what they can have; of equals, the one whose turn comes next."""
    least = min(each.load / each.capacity for each in there)
    return _next([each for each in there if each.load / each.capacity == least], turn)


def _weighted(there: Sequence[Candidate]) -> Choice:
    """Smooth weighted round robin: all earn their weight, who has most pays for all."""
    earned = {each.user_id: each.credit + each.weight for each in there}
    chosen = max(there, key=lambda each: earned[each.user_id])
    earned[chosen.user_id] -= sum(each.weight for each in there)
    return Choice(chosen.user_id, WEIGHTED, earned)
