"""What a rule can do: wishes that the owners of things answer, calls of webhooks, and waiting.

Ids are written as they are, or as one place of the event that holds an id: `{{ data.contact_id }}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

from flotilla_automation.domain.fields import Field, Kind
from flotilla_automation.domain.reading import Mistakes
from flotilla_automation.domain.templates import mistakes_in, only_place

MAX_ACTIONS: Final = 20
MAX_SECONDS: Final = 90 * 24 * 3600
TITLE: Final = 500
TEXT: Final = 4000
Seconds = Annotated[int, msgspec.Meta(ge=1, le=MAX_SECONDS)]
Id = str
"""A UUID, or one place of the event."""
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f]*$")]
Tags = Annotated[tuple[Tag, ...], msgspec.Meta(max_length=20)]


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
    purpose: Literal["promotion", "service"] = "promotion"
    """`service`: an answer, or what the person needs to be told. `promotion`: everything else, which takes that they
    may be written to unasked; rules from before this was to be said all count as that."""
    conversation_id: Id = "{{ data.conversation_id }}"


class AssignConversation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="assign_conversation"
):
    """Ask messaging to give a conversation to a person; to nobody without one."""

    assignee_id: Id | None = None
    conversation_id: Id = "{{ data.conversation_id }}"


class AssignDeal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="assign_deal"):
    """Ask pipeline to give a deal to a person."""

    owner_id: Id
    deal_id: Id = "{{ data.deal_id }}"


class AssignContact(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="assign_contact"
):
    """Ask crm to give a contact to a person."""

    owner_id: Id
    contact_id: Id = "{{ data.contact_id }}"


class TagContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tag_contact"):
    """Ask crm to tag a contact, and to take tags away."""

    add: Tags = ()
    remove: Tags = ()
    contact_id: Id = "{{ data.contact_id }}"


class StartSequence(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="start_sequence"
):
    """Ask campaign to enrol a contact."""

    sequence_id: Id
    contact_id: Id = "{{ data.contact_id }}"
    conversation_id: Id | None = None
    """Where they are written to; in their newest conversation without one."""
    name: Annotated[str, msgspec.Meta(max_length=TITLE)] | None = None
    """What texts call them: `{{ data.sender.name }}`."""


class AskAi(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ask_ai"):
    """Ask ai to propose a reply, for a person to decide on."""

    instruction: Annotated[str, msgspec.Meta(max_length=TEXT)] | None = None
    conversation_id: Id = "{{ data.conversation_id }}"


class Notify(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="notify"):
    """Tell a colleague."""

    user_id: Id
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE)]
    text: Annotated[str, msgspec.Meta(max_length=TEXT)] = ""
    link: Annotated[str, msgspec.Meta(max_length=500, pattern=r"^/[^/\\s][^\s]*$")] | None = None
    """Where it leads, in the console: `/conversations`."""


class BookHost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="book_host"):
    """Ask crm to book a contact in, at the first time that is free of those who can be booked."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE)]
    host_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=20)] = ()
    """One of these; anybody without one."""
    in_seconds: Seconds | None = None
    """Not before so long from now."""
    contact_id: Id = "{{ data.contact_id }}"


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


Wish: TypeAlias = (
    CreateTask
    | MoveDeal
    | SendMessage
    | AssignConversation
    | AssignDeal
    | AssignContact
    | TagContact
    | StartSequence
    | AskAi
    | Notify
    | BookHost
)
Action: TypeAlias = Wish | CallWebhook | Wait | NoReply

KINDS: Final[Mapping[str, type[Action]]] = {
    str(each.__struct_config__.tag): each for each in get_args(Action)
}
_IDS: Final[Mapping[type[Action], tuple[str, ...]]] = {
    CreateTask: ("assignee_id", "contact_id", "company_id", "conversation_id"),
    MoveDeal: ("deal_id", "stage_id"),
    SendMessage: ("conversation_id",),
    AssignConversation: ("assignee_id", "conversation_id"),
    AssignDeal: ("owner_id", "deal_id"),
    AssignContact: ("owner_id", "contact_id"),
    TagContact: ("contact_id",),
    StartSequence: ("sequence_id", "contact_id", "conversation_id"),
    AskAi: ("conversation_id",),
    Notify: ("user_id",),
    BookHost: ("contact_id",),
    NoReply: ("conversation_id",),
}
_TEXTS: Final[Mapping[type[Action], tuple[str, ...]]] = {
    CreateTask: ("title",),
    SendMessage: ("text",),
    StartSequence: ("name",),
    AskAi: ("instruction",),
    Notify: ("title", "text"),
    BookHost: ("title",),
}
SAY_PURPOSE: Final = (
    "Say `service` for an answer and for what the person needs to be told, `promotion` for anything else."
)
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


def unsaid(raw: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Messages in actions that fit which do not say what they are for, as mistakes."""
    send = SendMessage.__struct_config__.tag
    return [
        {"pointer": f"/actions/{index}/purpose", "detail": SAY_PURPOSE}
        for index, each in enumerate(raw)
        if each.get("type") == send and "purpose" not in each
    ]


def _mistakes(action: Action, fields: Mapping[str, Field]) -> Iterator[tuple[str, str]]:
    for name in _TEXTS.get(type(action), ()):
        for detail in mistakes_in(getattr(action, name) or "", fields):
            yield name, detail
    if isinstance(action, TagContact) and not (action.add or action.remove):
        yield "add", "a tag to add or to remove"
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
