"""Steps, windows, texts and opt-outs, without servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flotilla.ids import new_id
from flotilla_campaign.domain.enrolments import Enrolment, EnrolmentState, Phase, Surroundings, begin_step
from flotilla_campaign.domain.opt_out import is_opt_out
from flotilla_campaign.domain.sequences import InvalidSequenceError, Plan, read_steps
from flotilla_campaign.domain.templates import render
from flotilla_campaign.domain.windows import Window

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
ZONE = ZoneInfo("Europe/Berlin")
SEND: dict[str, Any] = {"type": "send", "text": "Hello {{ name | there }}!"}
OFFICE = Window("09:00", "17:00", (1, 2, 3, 4, 5))


def enrolment(**fields: Any) -> Enrolment:
    given: dict[str, Any] = {
        "organization_id": new_id(),
        "id": new_id(),
        "sequence_id": new_id(),
        "version": 1,
        "contact_id": new_id(),
        "conversation_id": new_id(),
        "due_at": NOW,
        "started_at": NOW,
    }
    return Enrolment(**given | fields)


def plan(*steps: dict[str, Any]) -> Plan:
    return Plan(read_steps(steps))


def test_a_step_is_asked_for_under_the_same_id_each_time() -> None:
    someone = enrolment(fields={"name": "Zoë"})
    first, taken = begin_step(someone, plan(SEND), Surroundings(NOW, ZONE))
    _, again = begin_step(someone, plan(SEND), Surroundings(NOW + timedelta(hours=1), ZONE))
    assert (first.phase, taken[0].text) == (Phase.ANSWER, "Hello Zoë!")
    assert taken[0].request_id == again[0].request_id


def test_a_wait_counts_from_when_it_begins() -> None:
    waiting, taken = begin_step(
        enrolment(), plan({"type": "wait", "amount": 3, "unit": "hours"}), Surroundings(NOW, ZONE)
    )
    assert (waiting.phase, waiting.due_at) == (Phase.WAIT, NOW + timedelta(hours=3))
    done, _ = begin_step(waiting.went_on(waiting.due_at), plan(SEND), Surroundings(waiting.due_at, ZONE))
    assert (done.state, done.fields, taken[0].kind) == (EnrolmentState.FINISHED, {}, "wait")


def test_branches_lead_on_and_say_why() -> None:
    steps = (
        {"type": "branch", "on": "field", "field": "plan", "equals": "pro", "then": 1, "otherwise": 2},
        {"type": "branch", "on": "replied", "then": 3, "otherwise": 2},
        SEND,
    )
    pro = enrolment(fields={"plan": "pro"})
    over, taken = begin_step(replace(pro, replied_at=NOW), plan(*steps), Surroundings(NOW, ZONE))
    assert over.state is EnrolmentState.FINISHED
    assert [each.reason for each in taken] == ["plan equals: yes, on to 1", "replied: yes, on to 3"]
    other, _ = begin_step(enrolment(), plan(*steps), Surroundings(NOW, ZONE))
    assert (other.step, other.phase) == (2, Phase.ANSWER)


def test_a_closed_window_holds_the_step_and_nothing_is_entered() -> None:
    held, taken = begin_step(
        enrolment(),
        plan({**SEND, "window": {"opens": "09:00", "closes": "10:00"}}),
        Surroundings(NOW, ZONE),
    )
    assert (held.step, held.phase, taken) == (0, Phase.WINDOW, [])
    assert held.due_at == datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def test_an_empty_text_is_not_sent() -> None:
    stopped, taken = begin_step(
        enrolment(), plan({"type": "send", "text": "{{ name }}"}), Surroundings(NOW, ZONE)
    )
    assert (stopped.state, stopped.reason, taken) == (EnrolmentState.STOPPED, "empty", [])


@pytest.mark.parametrize(
    ("now", "zone", "opens"),
    [
        ("2026-03-02T12:00+00:00", "Europe/Berlin", "2026-03-02T12:00+00:00"),
        ("2026-03-02T12:00+00:00", "America/New_York", "2026-03-02T14:00+00:00"),
        ("2026-03-02T16:00+00:00", "Europe/Berlin", "2026-03-03T08:00+00:00"),
        ("2026-03-06T16:30+00:00", "Europe/Berlin", "2026-03-09T08:00+00:00"),
        ("2026-03-27T20:00+00:00", "Europe/Berlin", "2026-03-30T07:00+00:00"),  # summer time has begun
        ("2026-03-01T23:30+00:00", "Asia/Tokyo", "2026-03-02T00:00+00:00"),  # there it is Monday
    ],
)
def test_windows_are_of_the_persons_wall_clock(now: str, zone: str, opens: str) -> None:
    assert OFFICE.next_open(datetime.fromisoformat(now), ZoneInfo(zone)) == datetime.fromisoformat(opens)


def test_a_window_that_a_change_of_clocks_skips_opens_the_next_time() -> None:
    skipped = Window("02:00", "02:30", (7,))
    found = skipped.next_open(datetime(2026, 3, 29, 0, 0, tzinfo=UTC), ZONE)
    assert found in (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 4, 5, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        ({"type": "fax"}, "/steps/0/type"),
        ({"type": "send", "text": "Hi {{ a.b }}"}, "/steps/0"),
        (
            {"type": "send", "text": "Hi", "window": {"opens": "25:00", "closes": "26:00"}},
            "/steps/0/window/opens",
        ),
        ({"type": "send", "text": "Hi", "window": {"opens": "17:00", "closes": "09:00"}}, "/steps/0"),
        ({"type": "wait", "amount": 366, "unit": "days"}, "/steps/0"),
        ({"type": "branch", "on": "replied", "then": 0, "otherwise": 1}, "/steps/0"),
        ({"type": "branch", "on": "replied", "then": 1, "otherwise": 2}, "/steps/0"),
        ({"type": "branch", "on": "field", "then": 1, "otherwise": 1}, "/steps/0"),
    ],
)
def test_steps_that_cannot_be_taken_are_pointed_at(step: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidSequenceError) as caught:
        read_steps([step])
    assert [mistake["pointer"] for mistake in caught.value.mistakes] == [pointer]


def test_texts_write_fields_and_nothing_else() -> None:
    assert (
        render("{{ name|there }} {{city}} {{ x | }}", {"city": "{{ name }}", "name": ""})
        == "there {{ name }}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "Stop!",
        " unsubscribe. ",
        "Abmelden",
        "Arrêt",
        "DÉSABONNER",
        "Désinscription",
        "СТОП",
        "Відписатися",
        "не пишіть мені",
        "Отписаться",
        "Don't contact me",
        "ne m'écrivez plus",
        "Не пишите мне!",
    ],
)
def test_opt_outs_are_understood(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize(
    "text", ["", None, "Please don't stop!", "When does it end?", "Stop by at five", "да", "👍"]
)
def test_other_messages_are_no_opt_outs(text: str | None) -> None:
    assert not is_opt_out(text)
