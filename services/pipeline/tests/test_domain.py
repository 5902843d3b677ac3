"""The rules, without servers."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flotilla.events.base import Money
from flotilla.ids import new_id
from flotilla_pipeline.domain.deals import Deal, MoveRefusedError, check_move, place, revise
from flotilla_pipeline.domain.ranks import between
from flotilla_pipeline.domain.stages import Stage, arrange

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
PIPELINE = new_id()


def stage(**fields: Any) -> Stage:
    given = {"id": new_id(), "pipeline_id": PIPELINE, "name": "Proposal", "position": 1, "probability": 50}
    return Stage(**given | fields)  # type: ignore[arg-type]


def deal(**fields: Any) -> Deal:
    given = {
        "id": new_id(),
        "pipeline_id": PIPELINE,
        "stage_id": new_id(),
        "rank": "V",
        "title": "200 mugs",
        "value": Money(amount_minor=120_000, currency="EUR"),
        "entered_stage_at": NOW,
        "created_at": NOW,
        "stage_probability": 25,
    }
    return Deal(**given | fields)  # type: ignore[arg-type]


def test_there_is_always_a_rank_more_between_any_two() -> None:
    dice = random.Random(7)
    ranks: list[str] = []
    for _ in range(2000):
        gap = dice.choice([0, len(ranks), dice.randint(0, len(ranks))])
        low, high = ranks[gap - 1] if gap else None, ranks[gap] if gap < len(ranks) else None
        ranks.insert(gap, between(low, high))
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_ranks_stay_short_where_cards_are_put_on_top_again_and_again() -> None:
    top = None
    for _ in range(500):
        top = between(None, top)
    assert top is not None
    assert len(top) < 120


@pytest.mark.parametrize(("low", "high"), [("V", "V"), ("W", "V")])
def test_no_rank_is_between_two_in_the_wrong_order(low: str, high: str) -> None:
    with pytest.raises(ValueError, match="not before"):
        between(low, high)


@pytest.mark.parametrize(
    ("what", "target", "loss_reason", "reason"),
    [
        ({"state": "won"}, {}, None, "not_open"),
        ({}, {"pipeline_id": new_id()}, None, "not_found"),
        ({}, {"archived": True}, None, "stage_archived"),
        ({}, {"required_fields": ["owner_id"]}, None, "fields_missing"),
        ({"value": None}, {"kind": "won"}, None, "fields_missing"),
        ({}, {"kind": "lost"}, None, "loss_reason_missing"),
    ],
)
def test_a_deal_may_not_go_everywhere(
    what: dict[str, Any], target: dict[str, Any], loss_reason: str | None, reason: str
) -> None:
    with pytest.raises(MoveRefusedError) as refused:
        check_move(deal(**what), stage(**target), loss_reason)
    assert refused.value.reason == reason


def test_a_deal_does_not_move_to_where_it_stands() -> None:
    here = stage()
    with pytest.raises(MoveRefusedError) as refused:
        check_move(deal(stage_id=here.id), here, None)
    assert refused.value.reason == "already_there"


def test_a_stage_decides_what_comes_into_it() -> None:
    before = deal(own_probability=60)
    lost = place(before, stage(kind="lost", probability=0), "W", "price", NOW + timedelta(hours=2))
    assert (lost.state, lost.loss_reason, lost.probability) == ("lost", "price", 0)
    assert lost.ended_at == NOW + timedelta(hours=2)
    assert lost.moved(before, "too dear").seconds_in_stage == 7200
    going_on = place(before, stage(), "W", "price", NOW)
    assert (going_on.state, going_on.loss_reason, going_on.ended_at) == ("open", None, None)
    assert going_on.probability == 60


def test_a_change_says_what_the_probability_is_now() -> None:
    _, changed = revise(deal(), {"own_probability": 80, "title": "200 mugs"})
    assert changed == {"probability": [25, 80]}


def test_stages_make_room() -> None:
    stages = [stage(position=place) for place in (1, 2, 3)]
    moved = arrange(stages, stages[2].id, 1)
    assert [each.id for each in moved] == [stages[2].id, stages[0].id, stages[1].id]
    assert [each.position for each in moved] == [1, 2, 3]
