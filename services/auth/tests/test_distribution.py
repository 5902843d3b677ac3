"""To which member of a team a client is given: rules alone, without a server."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.events.auth import WorkingHours
from flotilla_auth.domain.teams import Candidate, Choice, Team, choose

ANNA, BELA, CARL = (UUID(int=number) for number in (1, 2, 3))


def team(distribution: str = "round_robin", **fields: Any) -> Team:
    given: dict[str, Any] = {
        "organization_id": UUID(int=9),
        "id": UUID(int=8),
        "name": "Support",
        "skills": ["german"],
        "distribution": distribution,
        "sticky": True,
        "time_zone": "Europe/Berlin",
        "hours": [],
        "state": "active",
        "turn": None,
        "sequence": 1,
        "created_at": datetime.now(UTC),
    }
    return Team(**given | fields)


def member(user_id: UUID, **fields: Any) -> Candidate:
    given: dict[str, Any] = {
        "user_id": user_id,
        "skills": [],
        "capacity": 100,
        "weight": 1,
        "load": 0,
        "credit": 0,
        "presence": "online",
    }
    return Candidate(**given | fields)


def test_who_is_in_their_hours_comes_before_who_is_not() -> None:
    shut = [member(ANNA, at_work=False), member(BELA), member(CARL, presence="offline")]
    assert set(many(team(), shut, 3)) == {BELA}, "online, and at work"
    assert set(many(team(), [shut[0], shut[2]], 3)) == {ANNA}, "somebody is there after all"
    away = [member(ANNA, presence="offline", at_work=False), shut[2]]
    assert set(many(team(), away, 3)) == {CARL}, "theirs is the next to come to it"
    asleep = [replace(each, presence="offline", at_work=False) for each in shut]
    assert set(many(team(), asleep, 3)) == {ANNA, BELA, CARL}, "it waits with somebody who will be there"


def test_nobody_waits_for_the_morning_while_another_works() -> None:
    asleep = member(ANNA, presence="offline", at_work=False)
    assert choose(team(), [asleep, member(BELA)], skill=None, last=ANNA) == Choice(BELA, "round_robin")
    for last in (member(ANNA, at_work=False), member(ANNA, presence="offline"), asleep):
        others = [last] if last == asleep else [last, member(BELA)]
        assert choose(team(), others, skill=None, last=ANNA) == Choice(ANNA, "sticky")


def many(of: Team, members: list[Candidate], times: int, skill: str | None = None) -> list[UUID]:
    """One client after the other, each a new one."""
    given = []
    for _ in range(times):
        choice = choose(of, members, skill=skill, last=None)
        assert choice is not None
        given.append(choice.user_id)
        of = replace(of, turn=choice.user_id)
        members = [
            replace(
                each,
                load=each.load + (each.user_id == choice.user_id),
                credit=choice.earned.get(each.user_id, each.credit),
            )
            for each in members
        ]
    return given


def test_round_robin_goes_round() -> None:
    members = [member(each) for each in (CARL, ANNA, BELA)]
    assert many(team(), members, 5) == [ANNA, BELA, CARL, ANNA, BELA]
    assert many(team(turn=CARL), members[1:], 2) == [ANNA, BELA], "also after somebody who has gone"


def test_weights_are_shares_and_nobody_is_given_many_at_once() -> None:
    members = [member(ANNA, weight=5), member(BELA, weight=1), member(CARL, weight=0)]
    given = many(team("weighted"), members, 60)
    assert Counter(given) == {ANNA: 50, BELA: 10}
    assert all(BELA in given[start : start + 6] for start in range(0, 60, 6))
    assert choose(team("weighted"), [member(CARL, weight=0)], skill=None, last=None) is None


def test_the_least_loaded_by_what_they_can_have() -> None:
    members = [member(ANNA, load=5, capacity=10), member(BELA, load=6, capacity=20)]
    assert many(team("least_loaded"), members, 1) == [BELA]
    equals = [member(ANNA), member(BELA)]
    assert Counter(many(team("least_loaded"), equals, 20)) == {ANNA: 10, BELA: 10}


def test_who_knows_what_is_asked_for() -> None:
    members = [member(ANNA), member(BELA, skills=["german"], load=3), member(CARL, skills=["german"], load=9)]
    assert many(team("by_skill"), members, 3, skill="german") == [BELA] * 3
    assert many(team(), members, 2, skill="german") == [BELA, CARL], "whatever the distribution"
    assert choose(team("by_skill"), members, skill="french", last=None) is None


def test_nobody_has_more_than_they_can() -> None:
    members = [member(ANNA, capacity=1), member(BELA, capacity=2)]
    assert Counter(many(team(), members, 3)) == {ANNA: 1, BELA: 2}
    full = [member(ANNA, capacity=1, load=1), member(BELA, capacity=0)]
    assert choose(team(), full, skill=None, last=None) is None


def test_who_is_there_comes_first() -> None:
    members = [member(ANNA, presence="away"), member(BELA), member(CARL, presence="offline")]
    assert many(team(), members, 2) == [BELA, BELA]
    absent = [member(ANNA, presence="away"), member(CARL, presence="offline")]
    assert many(team(), absent, 2) == [ANNA, CARL]


def test_a_client_goes_back_to_who_had_them() -> None:
    members = [member(ANNA), member(BELA, presence="away")]
    assert choose(team(), members, skill=None, last=BELA) == Choice(BELA, "sticky")
    loose = choose(team(sticky=False), members, skill=None, last=BELA)
    assert loose is not None
    assert loose.user_id == ANNA
    full = [member(ANNA), member(BELA, load=100)]
    assert choose(team(), full, skill=None, last=BELA) == Choice(ANNA, "round_robin")


def test_working_hours_are_the_teams_own() -> None:
    works = team(hours=[WorkingHours(weekday=1, opens="09:00", closes="17:00")])
    assert works.is_open(datetime(2026, 3, 2, 8, 0, tzinfo=UTC)), "nine in Berlin"
    assert not works.is_open(datetime(2026, 3, 2, 7, 59, tzinfo=UTC))
    assert not works.is_open(datetime(2026, 3, 2, 16, 0, tzinfo=UTC))
    assert works.is_open(datetime(2026, 3, 30, 7, 0, tzinfo=UTC)), "in summer an hour earlier"
    assert team().is_open(datetime.now(UTC))
