"""What is offered, filtered and left out; when a delivery is tried again, and when enough was tried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events import CONTRACTS
from flotilla.events.schema import envelope_schema
from flotilla.ids import new_id
from flotilla_integrations.partners import filters, offer
from flotilla_integrations.partners.domain import (
    GONE,
    LONGEST_REST,
    UNANSWERED,
    UNREAD,
    Attempt,
    Health,
    Kind,
    Letter,
    State,
    Subscription,
    next_attempt,
    verdict,
)
from flotilla_integrations.partners.redaction import personal_fields, redact
from flotilla_integrations.settings import IntegrationsSettings

from services.integrations.tests.partners.conftest import company, message

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SCHEDULE = IntegrationsSettings.model_fields["partner_retry_seconds"].default
PATIENCE = timedelta(hours=72)


def subscription(**changes: Any) -> Subscription:
    """One of everything about companies and messages."""
    usual = Subscription(
        organization_id=new_id(),
        id=new_id(),
        sequence=1,
        kind=Kind.WEBHOOK,
        name="ERP",
        types=["company.*", "message.received.v1", "user.logged_in.v1"],
        filters={},
        personal_data=False,
        org_wide=False,
        url="https://erp.example.com",
        state=State.ACTIVE,
        reason=None,
        sealed=b"",
        runs=0,
        created_at=NOW - timedelta(days=9),
        updated_at=NOW - timedelta(days=9),
    )
    return replace(usual, **changes)


def event(data: Any, audience: str | None = "org") -> dict[str, Any]:
    """As it comes from the bus."""
    body = encode(data, org=new_id(), sequence=1, cause=Cause.fresh(), region="eu", audience=audience).body
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def letter(attempts: int = 0, made_at: datetime = NOW - timedelta(days=4)) -> Letter:
    """A delivery in hand."""
    return Letter(new_id(), new_id(), "company.created.v1", 1, attempts, made_at, b"{}")


def test_only_facts_are_offered_and_nothing_internal() -> None:
    types = offer.offered()
    assert "message.received.v1" in types
    assert not [type_ for type_ in types if ".requested." in type_ or CONTRACTS[type_].wish]
    assert not {contract.entity for contract in types.values()} & offer.INTERNAL
    assert offer.expand(["company.*"]) >= {"company.created.v1", "company.updated.v1"}
    assert offer.expand(["message.*"]) >= {"message.received.v1"}
    assert not any(type_.startswith("channel.") for type_ in offer.expand(["message.*"]))
    assert offer.expand(["signing_key.*", "*", "no.such.v1", "company.created.v9"]) == frozenset()


@pytest.mark.parametrize(
    ("audience", "org_wide", "seen"),
    [
        ("org", False, True),
        ("user:1 org", False, True),
        ("user:1", False, False),
        (None, False, False),
        (None, True, True),
        ("user:1", True, True),
    ],
)
def test_what_is_not_for_everybody_goes_to_those_who_see_everything(
    audience: str | None, org_wide: bool, seen: bool
) -> None:
    assert subscription(org_wide=org_wide).wants(event(company(), audience)) is seen


@pytest.mark.parametrize(
    ("wanted", "matched"),
    [
        ({"data.name": ["Ink", "Kite & Sons"]}, True),
        ({"data.name": ["Ink"]}, False),
        ({"data.name": ["Kite & Sons"], "data.domain": ["kite.example"]}, False),
        ({"data.tags": ["vip"]}, True),
        ({"data.size": [1]}, True),
        ({"data.size": [True]}, False),
        ({"data.name.first": ["Kite"]}, False),
    ],
)
def test_filters(wanted: dict[str, list[Any]], matched: bool) -> None:
    seen = {"data": {"name": "Kite & Sons", "domain": None, "tags": ["a", "vip"], "size": 1}}
    assert filters.matches(wanted, seen) is matched


def test_nobody_learns_by_filtering_what_they_may_not_read() -> None:
    written = event(message("secret"))
    guessing = subscription(filters={"data.text": ["secret"]})
    assert not guessing.wants(written)
    assert replace(guessing, personal_data=True).wants(written)


@pytest.mark.parametrize("type_", offer.offered())
def test_what_is_left_out_leaves_an_event_of_its_contract(type_: str) -> None:
    schema = envelope_schema(CONTRACTS[type_])
    example = schema["examples"][0]
    personal = personal_fields(type_)
    example["data"]["changed"] = {name: ["Lena", "Olena"] for name in (*personal, "state")}
    left = msgspec.json.decode(redact(msgspec.json.encode(example)))
    assert {left["data"].get(name) for name in personal} <= {None}
    changed = {name: [None, None] for name in personal} | {"state": ["Lena", "Olena"]}
    assert left["data"]["changed"] == changed
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(left)


def test_the_schedule_of_a_webhook() -> None:
    waits = [next_attempt(SCHEDULE, failed, jitter=0) for failed in range(1, 11)]
    seconds = [wait.total_seconds() if wait else None for wait in waits]
    assert seconds == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    asked = next_attempt(SCHEDULE, 1, timedelta(seconds=120))
    assert asked == timedelta(seconds=120)
    assert next_attempt(SCHEDULE, 1, timedelta(days=30)) == timedelta(hours=1)
    jittered = {next_attempt(SCHEDULE, 4) for _ in range(20)}
    assert len(jittered) > 1
    assert all(wait is not None and 7200 <= wait.total_seconds() <= 7920 for wait in jittered)


def test_rests_grow_until_something_is_taken() -> None:
    health, rests, failed = Health(), [], [Attempt(letter(), delivered=False)]
    for _ in range(9):
        health = health.after(failed, NOW, timedelta(seconds=5), jitter=0)
        assert health.rest_until is not None
        rests.append((health.rest_until - NOW).total_seconds())
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300, LONGEST_REST.total_seconds()]
    assert health.failing_since == NOW
    mixed = [*failed, Attempt(letter(), delivered=True)]
    assert health.after(mixed, NOW, timedelta(seconds=5)) == Health(delivered_at=NOW)
    full = [Attempt(letter(), delivered=True), Attempt(letter(), delivered=False, counts=False)]
    waits = health.after(full, NOW, timedelta(seconds=5))
    assert waits == Health(rest_until=NOW + timedelta(seconds=5), delivered_at=NOW)
    assert health.since(NOW + timedelta(seconds=1)) == Health()
    assert health.since(NOW) == health


def test_enough_was_tried() -> None:
    last = len(SCHEDULE)
    failing = Health(failures=9, failing_since=NOW - timedelta(days=3))

    def ruled(
        of: Subscription, attempts: list[Attempt], health: Health = failing, patience: timedelta = PATIENCE
    ) -> str | None:
        return verdict(of, attempts, health, SCHEDULE, NOW, patience)

    over = [Attempt(letter(last), delivered=False)]
    assert ruled(subscription(), over) == UNANSWERED
    assert ruled(subscription(), [Attempt(letter(last - 1), delivered=False)]) is None
    assert ruled(subscription(), [Attempt(letter(last), delivered=False, counts=False)]) is None
    one_event_is_bad = replace(failing, delivered_at=NOW - timedelta(hours=1))
    assert ruled(subscription(), over, one_event_is_bad) is None
    mended = subscription(updated_at=NOW - timedelta(hours=1))
    assert ruled(mended, over) is None
    assert ruled(subscription(), [Attempt(letter(), delivered=False, status=410)]) == GONE
    queue = subscription(kind=Kind.AMQP)
    full = [Attempt(letter(), delivered=False, counts=False)]
    assert ruled(queue, full) is None
    assert ruled(queue, full, patience=timedelta(days=2)) == UNREAD
