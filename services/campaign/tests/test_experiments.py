"""Steps with several texts: spread evenly, judged a few times only, decided once, the winner kept."""

import random
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.campaign import ExperimentDecided
from flotilla.events.messaging import MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla_campaign.domain.experiments import LOOKS, Arm, look, looks_due, p_value, variant_of

from services.campaign.tests.conftest import WAIT, come_due, enrolled, published

COMPARED: dict[str, Any] = {
    "type": "send",
    "text": "Shall we talk?",
    "variants": ["Are you free on Tuesday?"],
    "experiment": {"metric": "replied", "least": 10},
}


async def reached(campaign: Harness, org: UUID, sequence_id: str, **converted: int) -> None:
    """As if so many of forty messages of each text had been answered long ago."""
    await enrolled(campaign, org, sequence_id)
    async with campaign.app.db.transaction(org) as tx:
        enrolment = await tx.fetchrow("SELECT id, contact_id FROM enrolments LIMIT 1")
        assert enrolment is not None
        for variant, count in converted.items():
            await tx.execute(
                "INSERT INTO sends (organization_id, id, enrolment_id, sequence_id, version, step, variant,"
                " contact_id, sent_at, replied_at)"
                " SELECT $1, gen_random_uuid(), $2, $3, 1, 1, $4, $5, now() - interval '3 days',"
                " CASE WHEN n <= $6 THEN now() END FROM generate_series(1, 40) AS n",
                org,
                enrolment["id"],
                UUID(sequence_id),
                variant,
                enrolment["contact_id"],
                count,
            )


async def experiment(campaign: Harness, org: UUID, sequence_id: str) -> dict[str, Any]:
    (found,) = (await campaign.client(org).get(f"/v1/sequences/{sequence_id}/experiments")).json()
    shown: dict[str, Any] = found
    return shown


async def test_the_better_text_is_found_told_once_and_kept(campaign: Harness, org: UUID) -> None:
    id_ = await published(campaign, org, steps=[WAIT, COMPARED])
    await reached(campaign, org, id_, a=2, b=25)
    assert (await experiment(campaign, org, id_))["winner"] is None
    await come_due(campaign, org)
    told = await campaign.spy.expect(ExperimentDecided, lambda event: event.org == org)
    assert (told.data.winner, told.data.metric) == ("b", "replied")
    assert [(arm.variant, arm.sent, arm.converted) for arm in told.data.arms] == [("a", 40, 2), ("b", 40, 25)]
    shown = await experiment(campaign, org, id_)
    assert (shown["winner"], shown["looks"]) == ("b", 3)
    for _ in range(8):
        await enrolled(campaign, org, id_)

    async def all_wait() -> bool:
        found = (await campaign.client(org).get(f"/v1/sequences/{id_}/enrolments?limit=20")).json()["items"]
        return [each["phase"] in ("wait", "answer") for each in found] == [True] * 9

    await eventually(all_wait)
    await come_due(campaign, org)

    async def all_asked() -> bool:
        return len(campaign.spy.of(MessageRequested, org)) >= 9

    await eventually(all_asked)
    # The first one's step may have begun before the decision.
    texts = [event.data.text for event in campaign.spy.of(MessageRequested, org)]
    assert texts.count("Are you free on Tuesday?") >= 8
    assert len(campaign.spy.of(ExperimentDecided, org)) == 1


async def test_numbers_that_show_nothing_decide_nothing_yet(campaign: Harness, org: UUID) -> None:
    id_ = await published(campaign, org, steps=[WAIT, COMPARED])
    await reached(campaign, org, id_, a=8, b=12)
    await come_due(campaign, org)

    async def looked() -> bool:
        return int((await experiment(campaign, org, id_))["looks"]) == 3

    await eventually(looked)
    shown = await experiment(campaign, org, id_)
    assert (shown["winner"], shown["decided_at"]) == (None, None)
    await come_due(campaign, org)
    assert not campaign.spy.of(ExperimentDecided, org)


@pytest.mark.parametrize(
    "step",
    [
        {**COMPARED, "variants": []},
        {**COMPARED, "variants": ["{{ broken"]},
        {**COMPARED, "variants": ["x"] * 5},
        {**COMPARED, "experiment": {"metric": "clicked"}},
        {**COMPARED, "experiment": {"least": 1}},
    ],
)
async def test_what_cannot_be_compared_is_refused(campaign: Harness, org: UUID, step: Any) -> None:
    answer = await campaign.client(org).post("/v1/sequences", {"name": "Odd", "steps": [step]})
    assert (answer.status, answer.json()["errors"][0]["pointer"][:8]) == (422, "/steps/0")


def test_texts_are_spread_evenly_and_stay() -> None:
    runs = [new_id() for _ in range(3000)]
    given = [variant_of(run, 2, 3) for run in runs]
    assert given == [variant_of(run, 2, 3) for run in runs]
    assert all(900 < given.count(name) < 1100 for name in "abc")
    assert given != [variant_of(run, 3, 3) for run in runs]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # R: prop.test(c(15, 30), c(100, 100), correct = FALSE)
        (Arm("a", 100, 15), Arm("b", 100, 30), 0.01101),
        (Arm("a", 50, 5), Arm("b", 80, 8), 1.0),
        (Arm("a", 10, 0), Arm("b", 10, 0), 1.0),
        (Arm("a", 0, 0), Arm("b", 10, 1), 1.0),
    ],
)
def test_the_pooled_z_test(one: Arm, other: Arm, expected: float) -> None:
    assert p_value(one, other) == pytest.approx(expected, abs=0.0002)
    assert p_value(one, other) == p_value(other, one)


def test_looks_come_at_doublings_and_end() -> None:
    assert [
        looks_due([Arm("a", n, 0), Arm("b", 10_000, 0)], 10) for n in (9, 10, 19, 20, 159, 160, 9999)
    ] == [
        0,
        1,
        1,
        2,
        4,
        5,
        5,
    ]
    same = [Arm("a", 100, 10), Arm("b", 100, 11)]
    assert look(same, 0.95, LOOKS - 1) is None
    over = look(same, 0.95, LOOKS)
    assert over is not None
    assert over.winner is None


def test_where_there_is_no_difference_one_is_seldom_found() -> None:
    """Over all looks together no more often than was asked for."""
    chance, wrong = random.Random(7), 0
    for _ in range(400):
        counts = {"a": 0, "b": 0}
        sent = 0
        for number in range(1, LOOKS + 1):
            more = (20 << (number - 1)) - sent
            sent += more
            for name in counts:
                counts[name] += sum(chance.random() < 0.2 for _ in range(more))
            verdict = look([Arm(name, sent, count) for name, count in counts.items()], 0.95, number)
            if verdict is not None:
                wrong += verdict.winner is not None
                break
    assert wrong <= 20
