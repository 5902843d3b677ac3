"""What a rule can do: wishes that the owners of things answer, calls of webhooks, and waiting.

Ids are written as they are, or as one place of the event that holds an id: `{{ data.contact_id }}`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from flotilla.events.base import Event, contract_of
from flotilla.events.crm import TaskCreated, TaskFailed, TaskRequested
from flotilla.events.messaging import (
    MessageFailed,
    MessageReceived,
    MessageRefused,
    MessageRequested,
    MessageSent,
)
from flotilla.events.pipeline import DealMoveFailed, DealMoveRequested, DealStageChanged

from flotilla_automation.domain.fields import Field, Kind, Occurrence
from flotilla_automation.domain.reading import Mistakes
from flotilla_automation.domain.templates import mistakes_in, only_place, render

MAX_ACTIONS: Final = 20
MAX_SECONDS: Final = 90 * 24 * 3600
TITLE: Final = 500
TEXT: Final = 4000
Seconds = Annotated[int, msgspec.Meta(ge=1, le=MAX_SECONDS)]
Id = str
"""A UUID, or one place of the event."""


class UnfitError(ValueError):
    """The event does not hold what an action needs; the words say what."""


class CreateTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="create_task"):
    """Ask crm for a task."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE)]
    assignee_id: Id | None = None
    due_in_seconds: Seconds | None = None
    contact_id: Id | None = None
    company_id: Id | None = None
    conversation_id: Id | None = None


class MoveDeal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="move_deal"):
    """Ask pipeline to move a deal."""

    deal_id: Id
    stage_id: Id
    loss_reason: Annotated[str, msgspec.Meta(max_length=50)] | None = None


class SendMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="send_message"):
    """Ask messaging to write to the customer, in a conversation."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT)]
    conversation_id: Id = "{{ data.conversation_id }}"


class CallWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="call_webhook"):
    """Tell another program, signed."""

    url: Annotated[str, msgspec.Meta(max_length=2000, pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$")]


class Wait(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wait"):
    """Go on later, by the database's clock."""

    seconds: Seconds


class NoReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="no_reply"):
    """Go on only if nobody writes in the conversation meanwhile; the run ends where somebody does."""

    seconds: Seconds
    by: Literal["customer", "team"]
    conversation_id: Id = "{{ data.conversation_id }}"


Action: TypeAlias = CreateTask | MoveDeal | SendMessage | CallWebhook | Wait | NoReply
Wish: TypeAlias = CreateTask | MoveDeal | SendMessage


@dataclass(frozen=True, slots=True)
class Answers:
    """What a wish is answered by: the fact that it is so, and those that it is not."""

    well: type[Event]
    ill: tuple[type[Event], ...]


ANSWERS: Final[Mapping[type[Action], Answers]] = {
    CreateTask: Answers(TaskCreated, (TaskFailed,)),
    MoveDeal: Answers(DealStageChanged, (DealMoveFailed,)),
    SendMessage: Answers(MessageSent, (MessageFailed, MessageRefused)),
}
KINDS: Final[Mapping[str, type[Action]]] = {
    str(each.__struct_config__.tag): each
    for each in (CreateTask, MoveDeal, SendMessage, CallWebhook, Wait, NoReply)
}
REPLIES: Final[Mapping[str, type[Event]]] = {"customer": MessageReceived, "team": MessageSent}
_IDS: Final[Mapping[type[Action], tuple[str, ...]]] = {
    CreateTask: ("assignee_id", "contact_id", "company_id", "conversation_id"),
    MoveDeal: ("deal_id", "stage_id"),
    SendMessage: ("conversation_id",),
    NoReply: ("conversation_id",),
}
_TEXTS: Final[Mapping[type[Action], tuple[str, ...]]] = {CreateTask: ("title",), SendMessage: ("text",)}
_PATH: Final = re.compile(r" - at `\$(.*)`$")


def kind_of(action: Action) -> str:
    """`create_task`, as it is written."""
    return str(type(action).__struct_config__.tag)


def read_actions(raw: Any, fields: Mapping[str, Field], mistakes: Mistakes) -> tuple[Action, ...]:
    """The actions; what does not fit is noted."""
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_ACTIONS:
        mistakes.add("/actions", f"a list of 1 to {MAX_ACTIONS} actions")
        return ()
    found: list[Action] = []
    for index, each in enumerate(raw):
        try:
            action: Action = msgspec.convert(each, Action)
        except msgspec.ValidationError as error:
            words = str(error)
            path = _PATH.search(words)
            inside = "" if path is None else path[1].replace(".", "/")
            mistakes.add(f"/actions/{index}{inside}", _PATH.sub("", words))
            continue
        for name, detail in _mistakes(action, fields):
            mistakes.add(f"/actions/{index}/{name}", detail)
        found.append(action)
    return tuple(found)


def _mistakes(action: Action, fields: Mapping[str, Field]) -> Iterator[tuple[str, str]]:
    for name in _TEXTS.get(type(action), ()):
        for detail in mistakes_in(getattr(action, name), fields):
            yield name, detail
    for name in _IDS.get(type(action), ()):
        written = getattr(action, name)
        if written is not None and not _names_an_id(written, fields):
            yield name, "a UUID, or one place of the event that holds an id: {{ data.contact_id }}"


def _names_an_id(written: str, fields: Mapping[str, Field]) -> bool:
    place = only_place(written)
    if place is not None:
        return place in fields and fields[place].kind is Kind.ID and not fields[place].of_change
    try:
        UUID(written)
    except ValueError:
        return False
    return True


def wanted_types(trigger: str, actions: tuple[Action, ...]) -> frozenset[str]:
    """What must be heard for a rule: its trigger, the answers to its wishes, the replies it waits to miss."""
    answers = [ANSWERS[type(action)] for action in actions if type(action) in ANSWERS]
    heard = [data for each in answers for data in (each.well, *each.ill)]
    heard += [REPLIES[action.by] for action in actions if isinstance(action, NoReply)]
    return frozenset({trigger, *(contract_of(data).type for data in heard)})


def wish(action: Wish, event: Occurrence, *, request_id: UUID, rule: str, now: datetime) -> Event:
    """The event that asks for it; UnfitError where the event does not hold what is needed."""
    if isinstance(action, MoveDeal):
        return DealMoveRequested(
            request_id=request_id,
            deal_id=needed_id(action.deal_id, event),
            stage_id=needed_id(action.stage_id, event),
            reason=rule,
            loss_reason=action.loss_reason,
        )
    if isinstance(action, SendMessage):
        text = render(action.text, event, limit=TEXT).strip()
        if not text:
            raise UnfitError("the text comes out empty")
        contact_id = event.value("data.contact_id")
        return MessageRequested(
            request_id=request_id,
            conversation_id=needed_id(action.conversation_id, event),
            contact_id=contact_id if isinstance(contact_id, UUID) else None,
            text=text,
        )
    title = " ".join(render(action.title, event, limit=TITLE).split())
    if not title:
        raise UnfitError("the title comes out empty")
    return TaskRequested(
        request_id=request_id,
        title=title,
        assignee_id=written_id(action.assignee_id, event),
        due_at=None if action.due_in_seconds is None else now + timedelta(seconds=action.due_in_seconds),
        contact_id=written_id(action.contact_id, event),
        company_id=written_id(action.company_id, event),
        conversation_id=written_id(action.conversation_id, event),
    )


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
