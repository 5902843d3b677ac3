"""Conditions, templates and plans; without servers."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from flotilla.events import CONTRACTS
from flotilla.events.base import Envelope, Money
from flotilla.events.crm import ContactUpdated
from flotilla.events.pipeline import DealUpdated
from flotilla.ids import new_id
from flotilla_automation.domain.conditions import Condition, Evaluation, evaluate, operators_of
from flotilla_automation.domain.fields import Kind, Occurrence, fields_of, triggers
from flotilla_automation.domain.reading import ConditionReader, Mistakes
from flotilla_automation.domain.rules import InvalidRuleError, read_plan
from flotilla_automation.domain.templates import mistakes_in, render
from hypothesis import given
from hypothesis import strategies as st

DEAL = "deal.updated.v1"


def deal(**fields: Any) -> Occurrence:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    given: dict[str, Any] = {
        "deal_id": new_id(),
        "pipeline_id": new_id(),
        "stage_id": new_id(),
        "title": "Blue ink",
        "state": "open",
        "value": Money(amount_minor=120_000, currency="EUR"),
        "probability": 40,
        "contact_id": None,
        "company_id": None,
        "conversation_id": None,
        "owner_id": None,
        "expected_close_on": None,
        "source": "lead",
        "loss_reason": None,
        "entered_stage_at": now,
        "created_at": now,
        "ended_at": None,
        "changed": {"probability": [20, 40], "value": [None, {"amount_minor": 120_000, "currency": "EUR"}]},
    }
    return occurrence(DEAL, DealUpdated(**given | fields))


def occurrence(type_: str, data: Any) -> Occurrence:
    id_ = new_id()
    envelope = Envelope(
        id=id_,
        source="/flotilla/pipeline",
        type=type_,
        subject=str(id_),
        time=datetime.now(UTC),
        organizationid=id_,
        sequence="1",
        correlationid=id_,
        data=msgspec.Raw(b"{}"),
        region="eu",
        actor="user:1",
    )
    return Occurrence(envelope, data)


def condition(raw: Any, type_: str = DEAL) -> Condition:
    mistakes = Mistakes()
    found = ConditionReader(fields_of(type_), mistakes).read(raw, "/condition")
    assert mistakes.found == []
    return found


def mistakes(raw: Any) -> list[str]:
    found = Mistakes()
    ConditionReader(fields_of(DEAL), found).read(raw, "/condition")
    return [each["pointer"] for each in found.found]


def looked(field: str, operator: str, value: Any = None, event: Occurrence | None = None) -> Evaluation:
    raw = {"field": field, "operator": operator} | ({} if value is None else {"value": value})
    return evaluate(condition(raw), event or deal())


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"),
    [
        ("data.state", "equals", "open", True),
        ("data.state", "not_equals", "open", False),
        ("data.state", "in", ["won", "open"], True),
        ("data.title", "contains", "INK", True),
        ("data.title", "starts_with", "blue", True),
        ("data.title", "ends_with", "red", False),
        ("data.value.amount_minor", "at_least", 120_000, True),
        ("data.value.amount_minor", "greater", 120_000, False),
        ("data.probability", "less", 40.5, True),
        ("data.created_at", "before", "2026-05-01T14:00:01+02:00", True),
        ("data.created_at", "after", "2026-05-01T12:00:00Z", False),
        ("data.expected_close_on", "before", "2030-01-01", False),
        ("data.contact_id", "is_set", None, False),
        ("data.contact_id", "is_not_set", None, True),
        ("data.loss_reason", "not_equals", "price", True),
        ("changed.probability", "changed", None, True),
        ("changed.probability", "changed_from", 20, True),
        ("changed.probability", "changed_to", 20, False),
        ("changed.state", "changed", None, False),
        ("changed.value", "changed", None, True),
        ("envelope.actor", "starts_with", "user:", True),
    ],
)
def test_each_kind_is_compared_as_what_it_is(field: str, operator: str, value: Any, holds: bool) -> None:
    assert looked(field, operator, value).holds is holds


def test_a_part_of_nothing_is_nothing() -> None:
    assert not looked("data.value.currency", "equals", "EUR", deal(value=None)).holds


def test_lists_contain_their_members() -> None:
    contact = ContactUpdated(
        contact_id=new_id(),
        name=None,
        email=None,
        phone=None,
        language=None,
        company_id=None,
        owner_id=None,
        tags=["vip"],
        source="api",
    )
    raw = {"field": "data.tags", "operator": "contains", "value": "vip"}
    type_ = "contact.updated.v1"
    assert evaluate(condition(raw, type_), occurrence(type_, contact)).holds


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"field": "data.color", "operator": "equals", "value": 1}, "/condition/field"),
        ({"field": ["data.state"], "operator": "equals", "value": 1}, "/condition/field"),
        ({"field": "data.state", "operator": "less", "value": "a"}, "/condition/operator"),
        ({"field": "data.state", "operator": [], "value": "a"}, "/condition/operator"),
        ({"field": "data.state", "operator": "equals", "value": 7}, "/condition/value"),
        ({"field": "data.probability", "operator": "less", "value": True}, "/condition/value"),
        ({"field": "data.probability", "operator": "in", "value": 7}, "/condition/value"),
        (
            {"field": "data.created_at", "operator": "after", "value": "2026-05-01T12:00:00"},
            "/condition/value",
        ),
        ({"field": "data.deal_id", "operator": "in", "value": [str(new_id()), "x"]}, "/condition/value/1"),
        ({"field": "changed.value", "operator": "changed_to", "value": 1}, "/condition/operator"),
        ({"field": "data.state", "operator": "is_set", "value": 1}, "/condition/value"),
        ({"field": "data.state", "operator": "equals"}, "/condition"),
        ({"all": []}, "/condition/all"),
        ({"all": [], "any": []}, "/condition"),
        ({"any": [{"not": {"field": "x", "operator": "is_set"}}]}, "/condition/any/0/not/field"),
        ([], "/condition"),
    ],
)
def test_what_does_not_fit_is_pointed_at(raw: Any, pointer: str) -> None:
    assert mistakes(raw) == [pointer]


def test_conditions_have_bounds() -> None:
    deep: Any = {"field": "data.state", "operator": "is_set"}
    for _ in range(20):
        deep = {"not": deep}
    assert len(mistakes(deep)) == 1
    wide = {"all": [{"any": [{"field": "data.state", "operator": "is_set"}] * 60}] * 2}
    assert len(mistakes(wide)) == 1


def test_personal_values_stay_out_of_explanations() -> None:
    (title,) = looked("data.title", "equals", "Red").findings
    assert (title.personal, title.actual, title.expected) == (True, None, "Red")
    (state,) = looked("data.state", "equals", "won").findings
    assert (state.actual, state.pointer) == ("open", "/condition")


LEAVES = st.sampled_from(
    [
        {"field": "data.state", "operator": "equals", "value": "open"},
        {"field": "data.state", "operator": "equals", "value": "won"},
        {"field": "data.contact_id", "operator": "is_set"},
        {"field": "data.probability", "operator": "at_least", "value": 40},
    ]
)
TREES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(lambda of: {"all": of}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda of: {"any": of}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda of: {"not": of}, parts),
    ),
    max_leaves=12,
).filter(lambda tree: not mistakes(tree))
EVENT = deal()


def truth(raw: Any) -> bool:
    """What the tree means, said plainly."""
    if "all" in raw:
        return all(truth(part) for part in raw["all"])
    if "any" in raw:
        return any(truth(part) for part in raw["any"])
    if "not" in raw:
        return not truth(raw["not"])
    return raw in (
        {"field": "data.state", "operator": "equals", "value": "open"},
        {"field": "data.probability", "operator": "at_least", "value": 40},
    )


@given(TREES)
def test_a_tree_holds_as_it_reads_and_every_comparison_is_told(raw: Any) -> None:
    seen = evaluate(condition(raw), EVENT)
    assert seen.holds == truth(raw)
    assert seen.holds == (seen.distance == 0)
    assert len(seen.findings) == str(raw).count("'operator'")


@given(TREES)
def test_a_condition_and_its_opposite_never_agree(raw: Any) -> None:
    assert evaluate(condition(raw), EVENT).holds != evaluate(condition({"not": raw}), EVENT).holds


@given(st.text())
def test_any_text_is_refused_or_rendered(text: str) -> None:
    if not list(mistakes_in(text, fields_of(DEAL))):
        assert len(render(text, EVENT, limit=50)) <= 50


def test_places_are_filled_and_nothing_else_is_understood() -> None:
    text = (
        "{{ data.title }}: {{data.value.amount_minor}} {{ data.contact_id | nobody }}{{ data.loss_reason }}"
    )
    assert render(text, EVENT, limit=100) == "Blue ink: 120000 nobody"
    for bad in (
        "{{ data.nothing }}",
        "{{ data.title.upper() }}",
        "{{ 1 + 1 }}",
        "{{",
        "{{ data.__class__ }}",
    ):
        assert list(mistakes_in(bad, fields_of(DEAL))), bad


def test_a_place_cannot_be_smuggled_in_by_an_event() -> None:
    event = deal(title="{{ envelope.actor }}")
    assert render("{{ data.title }}", event, limit=100) == "{{ envelope.actor }}"


def test_every_contract_can_be_looked_at() -> None:
    assert not any(type_.startswith(("trigger.", "automation.")) for type_ in triggers())
    for type_ in triggers():
        fields = fields_of(type_)
        assert f"data.{CONTRACTS[type_].subject}" in fields
        assert all(operators_of(field) or field.kind is Kind.OBJECT for field in fields.values())


def test_a_plan_says_everything_that_is_wrong_with_it() -> None:
    with pytest.raises(InvalidRuleError) as refused:
        read_plan(
            DEAL,
            {"field": "data.nothing", "operator": "is_set"},
            [
                {"type": "create_task", "title": "{{ data.nothing }}", "contact_id": "{{ data.state }}"},
                {"type": "move_deal", "deal_id": "{{ data.deal_id }}"},
                {"type": "wait", "seconds": 0},
                {"type": "fly"},
            ],
        )
    assert [each["pointer"] for each in refused.value.mistakes] == [
        "/condition/field",
        "/actions/0/title",
        "/actions/0/contact_id",
        "/actions/1",
        "/actions/2/seconds",
        "/actions/3/type",
    ]
    for trigger in ("trigger.executed.v1", "no.such.v1"):
        with pytest.raises(InvalidRuleError):
            read_plan(trigger, None, [{"type": "wait", "seconds": 1}])


def test_a_plan_wants_its_trigger_the_answers_and_the_replies() -> None:
    plan = read_plan(
        "message.sent.v1",
        None,
        [
            {"type": "no_reply", "seconds": 60, "by": "customer"},
            {"type": "create_task", "title": "Ask again"},
        ],
    )
    assert plan.wants == {"message.sent.v1", "message.received.v1", "task.created.v1", "task.failed.v1"}
