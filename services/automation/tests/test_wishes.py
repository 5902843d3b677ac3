"""Every action that asks an owner for something: the wish, its answers, and who is not written to."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.ai import DraftFailed, DraftRequested, Verdict
from flotilla.events.base import Event
from flotilla.events.bookings import BookingConfirmed, BookingFailed, BookingRequested
from flotilla.events.campaign import (
    ContactUnsubscribed,
    SequenceStarted,
    SequenceStartFailed,
    SequenceStartRequested,
)
from flotilla.events.crm import ContactUpdated, ContactUpdateFailed, ContactUpdateRequested
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationAssignFailed,
    ConversationAssignRequested,
    MessageRequested,
)
from flotilla.events.pipeline import DealAssignFailed, DealAssignRequested
from flotilla.events.websocket import NotificationDelivered, NotificationFailed, NotificationRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.automation.tests.conftest import Rule, Runs, received

SOMEBODY, DEAL, SEQUENCE = new_id(), new_id(), new_id()


def assigned(wish: ConversationAssignRequested) -> ConversationAssigned:
    return ConversationAssigned(
        conversation_id=wish.conversation_id,
        channel="telegram",
        account_id=new_id(),
        identity_id=new_id(),
        contact_id=None,
        state="open",
        assignee_id=wish.assignee_id,
        snoozed_until=None,
        opened_at=datetime.now(UTC),
        resolved_at=None,
        ai_enabled=True,
    )


def updated(wish: ContactUpdateRequested) -> ContactUpdated:
    return ContactUpdated(
        contact_id=wish.contact_id,
        name=None,
        email=None,
        phone=None,
        language=None,
        company_id=None,
        owner_id=wish.owner_id,
        tags=wish.tags_added,
        source="api",
    )


def started(wish: SequenceStartRequested) -> SequenceStarted:
    return SequenceStarted(
        enrolment_id=wish.request_id,
        sequence_id=wish.sequence_id,
        version=1,
        contact_id=wish.contact_id,
        conversation_id=wish.conversation_id,
    )


def delivered(wish: NotificationRequested) -> NotificationDelivered:
    return NotificationDelivered(notification_id=wish.notification_id, user_id=wish.user_id, kind=wish.kind)


def not_drafted(wish: DraftRequested) -> DraftFailed:
    return DraftFailed(
        draft_id=wish.request_id,
        message_id=new_id(),
        conversation_id=wish.conversation_id,
        account_id=new_id(),
        identity_id=new_id(),
        contact_id=None,
        agent="sales",
        provider="local",
        text=None,
        confidence=0,
        citations=[],
        verdict=Verdict(allowed=False, reasons=[]),
        state="failed",
        reason="late",
        generated_at=datetime.now(UTC),
        decided_at=None,
        decided_by=None,
    )


def refused(type_: Any, *names: str) -> Callable[[Any], Event]:
    """How an owner says no."""
    return lambda wish: type_(**{name: getattr(wish, name) for name in names}, reason="no")


def booked(wish: BookingRequested) -> BookingConfirmed:
    return BookingConfirmed(
        booking_id=wish.request_id,
        host_id=SOMEBODY,
        contact_id=wish.contact_id,
        title=wish.title,
        starts_at=wish.starts_at,
        ends_at=wish.starts_at,
        time_zone="UTC",
        state="confirmed",
        reason=None,
    )


def not_booked(wish: BookingRequested) -> BookingFailed:
    return BookingFailed(
        booking_id=wish.request_id,
        contact_id=wish.contact_id,
        starts_at=wish.starts_at,
        reason="taken",
        free_slots=[],
    )


CASES: list[tuple[dict[str, Any], Any, dict[str, Any], Callable[[Any], Event], str]] = [
    (
        {"type": "assign_conversation", "assignee_id": str(SOMEBODY)},
        ConversationAssignRequested,
        {"assignee_id": SOMEBODY},
        assigned,
        "done",
    ),
    (
        {"type": "assign_conversation"},
        ConversationAssignRequested,
        {"assignee_id": None},
        refused(ConversationAssignFailed, "request_id", "conversation_id"),
        "failed",
    ),
    (
        {"type": "assign_deal", "owner_id": str(SOMEBODY), "deal_id": str(DEAL)},
        DealAssignRequested,
        {"deal_id": DEAL, "owner_id": SOMEBODY},
        refused(DealAssignFailed, "request_id", "deal_id"),
        "failed",
    ),
    (
        {"type": "assign_contact", "owner_id": str(SOMEBODY)},
        ContactUpdateRequested,
        {"owner_id": SOMEBODY, "tags_added": []},
        updated,
        "done",
    ),
    (
        {"type": "tag_contact", "add": ["vip"], "remove": ["cold"]},
        ContactUpdateRequested,
        {"owner_id": None, "tags_added": ["vip"], "tags_removed": ["cold"]},
        refused(ContactUpdateFailed, "request_id", "contact_id"),
        "failed",
    ),
    (
        {"type": "start_sequence", "sequence_id": str(SEQUENCE), "name": "{{ data.sender.name }}"},
        SequenceStartRequested,
        {"sequence_id": SEQUENCE, "conversation_id": None, "name": "Zoë Groß"},
        started,
        "done",
    ),
    (
        {
            "type": "start_sequence",
            "sequence_id": str(SEQUENCE),
            "conversation_id": "{{ data.conversation_id }}",
        },
        SequenceStartRequested,
        {"name": None},
        refused(SequenceStartFailed, "request_id", "sequence_id", "contact_id"),
        "failed",
    ),
    (
        {"type": "ask_ai", "instruction": "Offer {{ data.sender.name }} a call."},
        DraftRequested,
        {"instruction": "Offer Zoë Groß a call."},
        not_drafted,
        "failed",
    ),
    (
        {"type": "notify", "user_id": str(SOMEBODY), "title": "Look at {{ data.channel }}", "link": "/inbox"},
        NotificationRequested,
        {"user_id": SOMEBODY, "title": "Look at telegram", "text": "", "link": "/inbox"},
        delivered,
        "done",
    ),
    (
        {"type": "notify", "user_id": str(SOMEBODY), "title": "Look"},
        NotificationRequested,
        {"kind": "rule.notified", "params": {"rule": "Follow up"}},
        refused(NotificationFailed, "notification_id", "user_id", "kind"),
        "failed",
    ),
    (
        {"type": "book_host", "title": "Demo for {{ data.sender.name }}", "host_ids": [str(SOMEBODY)]},
        BookingRequested,
        {"title": "Demo for Zoë Groß", "host_ids": [SOMEBODY], "first_free": True},
        booked,
        "done",
    ),
    (
        {"type": "book_host", "title": "Demo", "in_seconds": 3600},
        BookingRequested,
        {"host_ids": [], "title": "Demo"},
        not_booked,
        "failed",
    ),
]


@pytest.mark.parametrize(("action", "asked", "holds", "answer", "outcome"), CASES)
async def test_an_owner_is_asked_and_answers(
    automation: Harness,
    org: UUID,
    rule: Rule,
    runs_of: Runs,
    action: dict[str, Any],
    asked: Any,
    holds: dict[str, Any],
    answer: Callable[[Any], Event],
    outcome: str,
) -> None:
    made = await rule(actions=[action])
    message = received(contact_id=new_id())
    await automation.publish(message, org=org)
    wish = await automation.spy.expect(asked, lambda event: event.org == org)
    assert {name: getattr(wish.data, name) for name in holds} == holds
    for name in ("contact_id", "conversation_id"):
        if getattr(wish.data, name, None) is not None:
            assert getattr(wish.data, name) == getattr(message, name)
    assert (wish.envelope.source, wish.envelope.actor) == ("/flotilla/automation", f"rule:{made['id']}")
    await automation.publish(answer(wish.data), org=org, cause=wish.cause)
    (run,) = await runs_of(made["id"], outcome)
    assert (run["steps"][0]["kind"], run["steps"][0]["state"]) == (action["type"], outcome)
    assert len(automation.spy.of(asked, org)) == 1


async def test_an_event_that_lacks_what_is_needed_fails_the_run(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(actions=[{"type": "tag_contact", "add": ["vip"]}])
    await automation.publish(received(contact_id=None), org=org)
    (run,) = await runs_of(made["id"], "failed")
    assert run["reason"] == "unfit: data.contact_id is empty"


@pytest.mark.parametrize(
    ("action", "pointer"),
    [
        ({"type": "tag_contact"}, "/actions/0/add"),
        ({"type": "assign_deal", "owner_id": str(SOMEBODY)}, "/actions/0/deal_id"),
        ({"type": "start_sequence"}, "/actions/0"),
        ({"type": "ask_ai", "instruction": "{{ data.nothing }}"}, "/actions/0/instruction"),
        (
            {"type": "notify", "user_id": "x", "title": "Look", "link": "//evil.example"},
            "/actions/0/link",
        ),
    ],
)
async def test_actions_that_cannot_be_meant_are_pointed_at(
    automation: Harness, org: UUID, action: dict[str, Any], pointer: str
) -> None:
    body = {"name": "Odd", "trigger": "message.received.v1", "actions": [action]}
    answer = await automation.client(org).post("/v1/rules", body)
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_who_has_unsubscribed_is_not_written_to(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    contact_id = new_id()
    fact = ContactUnsubscribed(contact_id=contact_id, reason="requested", unsubscribed_at=datetime.now(UTC))
    await automation.publish(fact, org=org)

    async def known() -> bool:
        async with automation.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM opt_outs"))

    await eventually(known)
    sale = {"type": "send_message", "text": "Our summer sale!", "purpose": "promotion"}
    made = await rule(actions=[sale])
    await automation.publish(received(contact_id=contact_id), org=org)
    (run,) = await runs_of(made["id"], "failed")
    assert (run["reason"], run["steps"]) == ("refused: unsubscribed", [])
    await rule(actions=[{**sale, "text": "Your parcel is on its way.", "purpose": "service"}])
    await automation.publish(received(contact_id=contact_id), org=org)
    wish = await automation.spy.expect(MessageRequested, lambda event: event.org == org)
    assert wish.data.purpose == "service", "what they need to be told they are told"
