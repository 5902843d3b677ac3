"""Scores and turns, without servers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla_crm.domain.routing import Mode, Taker, Unrouted, route
from flotilla_crm.domain.scoring import MOST, Answer, Facts, score

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FULL = tuple(
    Answer(question=name, score=100, confidence=1) for name in ("budget", "authority", "need", "timeline")
)
KNOWN = {"name": True, "email": True, "phone": True, "company": True}


def facts(**fields: Any) -> Facts:
    given: dict[str, Any] = {"answers": (), "known": dict.fromkeys(KNOWN, False)}
    return Facts(**given | {"last_message_at": None, "employees": None} | fields)


def points(rule: str, of: Facts) -> tuple[int, str]:
    _, reasons = score(of, NOW)
    (found,) = (reason for reason in reasons if reason.rule == rule)
    return found.points, found.because


def test_all_there_is_gives_100_and_nothing_0() -> None:
    assert sum(MOST.values()) == 100
    best = facts(answers=FULL, known=KNOWN, last_message_at=NOW, employees=10_000)
    assert score(best, NOW)[0] == 100
    total, reasons = score(facts(), NOW)
    assert (total, [reason.rule for reason in reasons]) == (0, list(MOST))
    assert all(reason.points <= reason.most and reason.because for reason in score(best, NOW)[1])


def test_what_was_said_counts_as_far_as_it_is_sure() -> None:
    answer = Answer(question="budget", score=80, confidence=0.5)
    assert points("budget", facts(answers=(answer,))) == (6, "80 of 100, 50% sure")
    assert points("need", facts(answers=(answer,))) == (0, "nothing was said about it")
    odd = Answer(question="budget", score=500, confidence=2)
    assert points("budget", facts(answers=(odd,)))[0] == 15


def test_what_is_known_of_them_counts() -> None:
    some = {**dict.fromkeys(KNOWN, False), "name": True, "email": True}
    assert points("completeness", facts(known=some)) == (10, "name, email known; phone, company not known")


@pytest.mark.parametrize(("days", "given"), [(0.9, 15), (1, 10), (6.9, 10), (7, 5), (29.9, 5), (30, 0)])
def test_what_was_said_long_ago_counts_less(days: float, given: int) -> None:
    assert points("recency", facts(last_message_at=NOW - timedelta(days=days)))[0] == given


@pytest.mark.parametrize(("employees", "given"), [(0, 0), (1, 3), (10, 6), (50, 10), (249, 10), (250, 15)])
def test_larger_companies_count_more(employees: int, given: int) -> None:
    assert points("company_size", facts(employees=employees))[0] == given


def given(
    leads: int, takers: list[Taker], mode: Mode, owner: UUID | None = None, first: bool = True
) -> list[int]:
    wanted = [Unrouted(UUID(int=100 + place), owner) for place in range(leads)]
    return [each.owner_id.int for each in route(wanted, takers, mode, NOW, contact_owner_first=first)]


def taker(id_: int, load: int = 0, hours_ago: int | None = None) -> Taker:
    return Taker(UUID(int=id_), None if hours_ago is None else NOW - timedelta(hours=hours_ago), load)


def test_they_take_turns() -> None:
    assert given(4, [taker(1, 9, 1), taker(2, 0, 2), taker(3)], Mode.ROUND_ROBIN) == [3, 2, 1, 3]


def test_who_has_least_to_do_is_given_more() -> None:
    assert given(4, [taker(1, 3), taker(2, 0), taker(3, 1)], Mode.LEAST_LOADED) == [2, 3, 2, 3]


def test_whose_contact_it_is_gets_the_lead() -> None:
    assert given(2, [taker(1)], Mode.ROUND_ROBIN, UUID(int=7)) == [7, 7]
    assert given(2, [taker(1)], Mode.ROUND_ROBIN, UUID(int=7), first=False) == [1, 1]
    assert given(1, [], Mode.LEAST_LOADED, UUID(int=7)) == [7]


def test_where_nobody_takes_them_they_stay_nobodys() -> None:
    assert given(2, [], Mode.ROUND_ROBIN) == given(2, [taker(1)], Mode.OFF, UUID(int=7)) == []
