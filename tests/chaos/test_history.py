"""The checker itself: histories that are broken in one known way each, and must be called so."""

from collections import Counter
from uuid import UUID

import pytest

from tests.chaos.gateways import Answered
from tests.chaos.history import Found, History, judge
from tests.chaos.standing import wrong_replies

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def history(**changes: object) -> History:
    return History(**{"acknowledged": {A, B}, "told": {A: 3}, **changes})  # type: ignore[arg-type]


def found(worked: Counter[UUID], sent: Counter[UUID], copy: int = 3, owned: int = 3) -> Found:
    return Found({"worked": worked, "sent": sent}, {A: owned}, {"copy": {A: copy}})


ONCE = Counter([A, B])


def test_a_history_where_all_is_well() -> None:
    assert judge(history(), found(ONCE, ONCE)).good


@pytest.mark.parametrize(
    ("effects", "wrong"),
    [
        ((Counter([A]), ONCE), {"lost": (("worked", B),)}),
        ((ONCE, Counter([A, B, B])), {"doubled": (("sent", B),)}),
        ((Counter([A, B, C]), ONCE), {"invented": (("worked", C),)}),
    ],
)
def test_an_effect_too_few_too_many_or_from_nowhere(
    effects: tuple[Counter[UUID], Counter[UUID]], wrong: dict[str, object]
) -> None:
    verdict = judge(history(), found(*effects))
    assert {name: value for name, value in vars(verdict).items() if value} == wrong
    assert not verdict.good


@pytest.mark.parametrize("both", [True, False])
def test_an_input_without_an_answer_may_have_all_effects_or_none(both: bool) -> None:
    effects = ONCE + Counter([C]) if both else ONCE
    assert judge(history(unknown={C}), found(effects, effects)).good


def test_but_not_half_of_them() -> None:
    verdict = judge(history(unknown={C}), found(ONCE + Counter([C]), ONCE))
    assert verdict.halved == (C,)


def test_one_that_was_asked_again_and_then_acknowledged_is_promised() -> None:
    verdict = judge(history(acknowledged={A, B, C}, unknown={C}), found(ONCE, ONCE))
    assert verdict.lost == (("worked", C), ("sent", C))


def test_what_was_refused_has_no_effect() -> None:
    verdict = judge(history(refused={C}), found(ONCE + Counter([C]), ONCE))
    assert verdict.invented == (("worked", C),)


@pytest.mark.parametrize("shown", [2, 4])
def test_a_copy_that_is_behind_or_ahead(shown: int) -> None:
    assert judge(history(), found(ONCE, ONCE, copy=shown)).stale == (("copy", A),)


def test_a_copy_that_is_missing_or_too_many() -> None:
    missing = Found({}, {A: 3}, {"copy": {}})
    extra = Found({}, {A: 3}, {"copy": {A: 3, B: 1}})
    assert judge(History(), missing).stale == (("copy", A),)
    assert judge(History(), extra).stale == (("copy", B),)


def test_an_owner_that_forgot_what_it_told() -> None:
    assert judge(history(), found(ONCE, ONCE, owned=2, copy=2)).forgotten == (A,)


def test_the_verdict_says_what_is_wrong() -> None:
    verdict = judge(history(), found(Counter([A]), ONCE))
    assert "1 lost" in str(verdict)
    assert str(B) in str(verdict)
    assert str(judge(history(), found(ONCE, ONCE))) == "every promise was kept"


@pytest.mark.parametrize(
    ("status", "headers", "excused"),
    [
        (502, {}, True),
        (504, {}, True),
        (503, {"Retry-After": "1"}, True),
        (503, {}, False),
        (500, {"Retry-After": "1"}, False),
        (404, {}, False),
        (429, {"Retry-After": "1"}, False),
    ],
)
def test_what_a_death_excuses(status: int, headers: dict[str, str], excused: bool) -> None:
    assert Answered(status, headers, b"").excused is excused


@pytest.mark.parametrize(
    ("state", "times", "wrong"),
    [
        ("sent", 1, False),
        ("sent", 0, True),
        ("sent", 2, True),
        ("unknown", 0, False),
        ("unknown", 1, False),
        ("unknown", 2, True),
        ("failed", 0, False),
        ("failed", 1, True),
        ("queued", 0, True),
    ],
)
def test_a_reply_that_reached_nobody_or_somebody_twice(state: str, times: int, wrong: bool) -> None:
    assert bool(wrong_replies({"7": state}, Counter({"7": times}))) is wrong


def test_a_reply_that_nobody_approved() -> None:
    assert wrong_replies({}, Counter({"7": 1}))
