"""Actions as wishes: what the owners of things are asked for, and by what they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Final
from uuid import UUID

from flotilla.events import ai, bookings, crm, messaging, pipeline, websocket
from flotilla.events.base import Event, contract_of
from flotilla.events.campaign import SequenceStarted, SequenceStartFailed, SequenceStartRequested

from flotilla_automation.domain.actions import (
    TEXT,
    TITLE,
    Action,
    AskAi,
    AssignContact,
    AssignConversation,
    AssignDeal,
    BookHost,
    CreateTask,
    Id,
    MoveDeal,
    NoReply,
    Notify,
    SendMessage,
    StartSequence,
    TagContact,
    Wish,
)
from flotilla_automation.domain.fields import SCHEDULE, Occurrence
from flotilla_automation.domain.templates import only_place, render

NOTIFICATION: Final = "rule.notified"
"""The kind of notifications that rules ask for."""
PROMOTION: Final = "promotion"


class UnfitError(ValueError):
    """The event does not hold what an action needs; the words say what."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a wish is answered by: the fact that it is so, and those that it is not."""

    well: type[Event]
    ill: tuple[type[Event], ...]


_REVISED: Final = Answers(crm.ContactUpdated, (crm.ContactUpdateFailed,))
ANSWERS: Final[Mapping[type[Action], Answers]] = {
    CreateTask: Answers(crm.TaskCreated, (crm.TaskFailed,)),
    MoveDeal: Answers(pipeline.DealStageChanged, (pipeline.DealMoveFailed,)),
    SendMessage: Answers(messaging.MessageSent, (messaging.MessageFailed, messaging.MessageRefused)),
    AssignConversation: Answers(messaging.ConversationAssigned, (messaging.ConversationAssignFailed,)),
    AssignDeal: Answers(pipeline.DealUpdated, (pipeline.DealAssignFailed,)),
    AssignContact: _REVISED,
    TagContact: _REVISED,
    StartSequence: Answers(SequenceStarted, (SequenceStartFailed,)),
    AskAi: Answers(ai.DraftGenerated, (ai.DraftFailed,)),
    Notify: Answers(websocket.NotificationDelivered, (websocket.NotificationFailed,)),
    BookHost: Answers(bookings.BookingConfirmed, (bookings.BookingFailed,)),
}

REPLIES: Final[Mapping[str, type[Event]]] = {
    "customer": messaging.MessageReceived,
    "team": messaging.MessageSent,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a wish is made of, beside its action."""

    event: Occurrence
    request_id: UUID
    rule: str
    now: datetime


def wanted_types(trigger: str, actions: tuple[Action, ...]) -> frozenset[str]:
    """What must be heard for a rule: its trigger, the answers to its wishes, the replies it waits to miss.

    A time is not heard: its timer begins the run.
    """
    answers = [ANSWERS[type(action)] for action in actions if type(action) in ANSWERS]
    heard = [data for each in answers for data in (each.well, *each.ill)]
    heard += [REPLIES[action.by] for action in actions if isinstance(action, NoReply)]
    return frozenset({trigger, *(contract_of(data).type for data in heard)} - {SCHEDULE})


def wish(action: Wish, event: Occurrence, *, request_id: UUID, rule: str, now: datetime) -> Event:
    """The event that asks for it; UnfitError where the event does not hold what is needed."""
    return _wish(action, Asked(event, request_id, rule, now))


@singledispatch
def _wish(action: Wish, asked: Asked) -> Event:
    raise TypeError(f"no wish: {action}")


@_wish.register
def _(action: CreateTask, asked: Asked) -> Event:
    event, seconds = asked.event, action.due_in_seconds
    return crm.TaskRequested(
        request_id=asked.request_id,
        title=_line(action.title, event, "title"),
        assignee_id=written_id(action.assignee_id, event),
        due_at=None if seconds is None else asked.now + timedelta(seconds=seconds),
        contact_id=written_id(action.contact_id, event),
        company_id=written_id(action.company_id, event),
        # Else of the event: what a title quotes of a conversation goes when the person is forgotten.
        conversation_id=written_id(action.conversation_id or "{{data.conversation_id}}", event),
    )


@_wish.register
def _(action: MoveDeal, asked: Asked) -> Event:
    return pipeline.DealMoveRequested(
        request_id=asked.request_id,
        deal_id=needed_id(action.deal_id, asked.event),
        stage_id=needed_id(action.stage_id, asked.event),
        reason=asked.rule,
        loss_reason=action.loss_reason,
    )


@_wish.register
def _(action: SendMessage, asked: Asked) -> Event:
    text = render(action.text, asked.event, limit=TEXT).strip()
    if not text:
        raise UnfitError("the text comes out empty")
    contact_id = asked.event.value("data.contact_id")
    return messaging.MessageRequested(
        request_id=asked.request_id,
        conversation_id=needed_id(action.conversation_id, asked.event),
        contact_id=contact_id if isinstance(contact_id, UUID) else None,
        text=text,
        purpose=action.purpose,
    )


@_wish.register
def _(action: AssignConversation, asked: Asked) -> Event:
    given = action.assignee_id
    return messaging.ConversationAssignRequested(
        request_id=asked.request_id,
        conversation_id=needed_id(action.conversation_id, asked.event),
        assignee_id=None if given is None else needed_id(given, asked.event),
    )


@_wish.register
def _(action: AssignDeal, asked: Asked) -> Event:
    return pipeline.DealAssignRequested(
        request_id=asked.request_id,
        deal_id=needed_id(action.deal_id, asked.event),
        owner_id=needed_id(action.owner_id, asked.event),
    )


@_wish.register
def _(action: AssignContact, asked: Asked) -> Event:
    return crm.ContactUpdateRequested(
        request_id=asked.request_id,
        contact_id=needed_id(action.contact_id, asked.event),
        owner_id=needed_id(action.owner_id, asked.event),
    )


@_wish.register
def _(action: TagContact, asked: Asked) -> Event:
    return crm.ContactUpdateRequested(
        request_id=asked.request_id,
        contact_id=needed_id(action.contact_id, asked.event),
        tags_added=list(action.add),
        tags_removed=list(action.remove),
    )


@_wish.register
def _(action: StartSequence, asked: Asked) -> Event:
    name = None if action.name is None else render(action.name, asked.event, limit=TITLE).strip()
    return SequenceStartRequested(
        request_id=asked.request_id,
        sequence_id=needed_id(action.sequence_id, asked.event),
        contact_id=needed_id(action.contact_id, asked.event),
        conversation_id=written_id(action.conversation_id, asked.event),
        name=name or None,
    )


@_wish.register
def _(action: AskAi, asked: Asked) -> Event:
    words = action.instruction
    instruction = None if words is None else render(words, asked.event, limit=TEXT).strip()
    return ai.DraftRequested(
        request_id=asked.request_id,
        conversation_id=needed_id(action.conversation_id, asked.event),
        instruction=instruction or None,
    )


@_wish.register
def _(action: Notify, asked: Asked) -> Event:
    return websocket.NotificationRequested(
        notification_id=asked.request_id,
        user_id=needed_id(action.user_id, asked.event),
        kind=NOTIFICATION,
        title=_line(action.title, asked.event, "title"),
        text=render(action.text, asked.event, limit=TEXT).strip(),
        link=action.link,
        params={"rule": asked.rule},
    )


@_wish.register
def _(action: BookHost, asked: Asked) -> Event:
    return bookings.BookingRequested(
        request_id=asked.request_id,
        contact_id=needed_id(action.contact_id, asked.event),
        host_ids=list(action.host_ids),
        starts_at=asked.now + timedelta(seconds=action.in_seconds or 0),
        first_free=True,
        title=_line(action.title, asked.event, "title"),
    )


def _line(template: str, event: Occurrence, name: str) -> str:
    line = " ".join(render(template, event, limit=TITLE).split())
    if not line:
        raise UnfitError(f"the {name} comes out empty")
    return line


def written_id(written: Id | None, event: Occurrence) -> UUID | None:
    """The id that is written, or that stands in the event; none where that is empty."""
    if written is None:
        return None
    place = only_place(written)
    if place is None:
        return UUID(written)
    found = event.value(place)
    return found if isinstance(found, UUID) else None


def needed_id(written: Id, event: Occurrence) -> UUID:
    """The same where there must be one; UnfitError names the place that is empty."""
    found = written_id(written, event)
    if found is None:
        raise UnfitError(f"{only_place(written)} is empty")
    return found
