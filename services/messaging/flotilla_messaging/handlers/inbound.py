"""A customer's messages find their conversations and their places in them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.integrations import ChannelMessageReceived
from flotilla.events.messaging import ConversationOpened, ConversationReopened, MessageReceived
from flotilla.ids import new_id
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation
from flotilla_messaging.domain.messages import Arrival, Message, place_arrivals
from flotilla_messaging.events import AUDIENCE, conversation_event
from flotilla_messaging.metrics import MESSAGES
from flotilla_messaging.store import bodies, conversations, messages

Inbound = Received[ChannelMessageReceived]
Chat = tuple[UUID, UUID, str]
"""Organization, account, chat: what a conversation is unique by."""


async def write_bodies(app: App, batch: Sequence[Inbound]) -> None:
    """Bodies first: a row is never without its body, a body without its row is swept."""
    await bodies.write(
        app, (bodies.Body(e.org, e.data.message_id, e.data.text, e.data.sender) for e in batch)
    )


@reaction(ChannelMessageReceived, lane="inbound", prepare=write_bodies)
async def receive(tx: Transaction, batch: Sequence[Inbound], _: None) -> None:
    """Place every message of the batch, once, with one statement for each step."""
    arrived: dict[tuple[UUID, UUID], Inbound] = {}
    for event in batch:
        arrived.setdefault((event.org, event.data.message_id), event)
    found = await _conversations(tx, arrived.values())
    rows = await tx.fetch(
        messages.KNOWN,
        [org for org, _ in arrived],
        [message_id for _, message_id in arrived],
        [event.data.identity_id for event in arrived.values()],
    )
    standing = {row["id"] for row in rows if row["stands"]}
    contacts = {row["id"]: row["contact_id"] for row in rows}
    by_chat: dict[Chat, list[Inbound]] = defaultdict(list)
    for event in arrived.values():
        if event.data.message_id not in standing:
            by_chat[_chat(event)].append(event)
    changed: list[Conversation] = []
    placed: list[Message] = []
    for chat, new in by_chat.items():
        after = _place(tx, found[chat], new, contacts, placed)
        changed.append(after)
    await messages.insert(tx, placed)
    await conversations.save(tx, changed)


def _chat(event: Inbound) -> Chat:
    assert event.data.chat is not None  # who is forgotten is left out before this
    return (event.org, event.data.account_id, event.data.chat)


async def _conversations(tx: Transaction, events: Iterable[Inbound]) -> dict[Chat, Conversation]:
    """The conversations of these messages, locked; a new one is dated by its first message."""
    first: dict[Chat, Inbound] = {}
    for event in sorted(events, key=lambda each: (each.data.sent_at, each.data.message_id)):
        first.setdefault(_chat(event), event)
    threads = [
        (org, new_id(), account, each.data.channel, chat, each.data.identity_id, each.data.sent_at)
        for (org, account, chat), each in first.items()
    ]
    found = await conversations.open_by_chat(tx, threads)
    return {(each.organization_id, each.account_id, each.chat): each for each in found}


def _place(
    tx: Transaction,
    before: Conversation,
    new: Sequence[Inbound],
    contacts: Mapping[UUID, UUID | None],
    placed: list[Message],
) -> Conversation:
    """Place the messages of one conversation, and say what that did."""
    events = {event.data.message_id: event for event in new}
    after, own = place_arrivals(
        before,
        [
            Arrival(each.data.message_id, each.data.identity_id, each.data.external_id, each.data.sent_at)
            for each in new
        ],
    )
    placed.extend(own)
    first = events[own[0].id]
    kind = ConversationOpened if before.last_position == 0 else ConversationReopened
    if kind is ConversationOpened or after.sequence != before.sequence:
        said = conversation_event(kind, after, None if kind is ConversationOpened else before)
        tx.emit(said, org=after.organization_id, sequence=after.sequence, cause=first, audience=AUDIENCE)
    tx.after_commit(partial(MESSAGES.labels(after.channel, "in").inc, len(own)))
    for message in own:
        _say_received(tx, after, message, events[message.id], contacts[message.id])
    return after


def _say_received(
    tx: Transaction, conversation: Conversation, message: Message, event: Inbound, contact_id: UUID | None
) -> None:
    tx.emit(
        MessageReceived(
            message_id=message.id,
            conversation_id=conversation.id,
            position=message.position,
            account_id=conversation.account_id,
            channel=conversation.channel,
            identity_id=message.identity_id,
            contact_id=contact_id,
            assignee_id=conversation.assignee_id,
            sender=event.data.sender,
            text=event.data.text,
            sent_at=message.sent_at,
            ai_enabled=conversation.ai_enabled,
            first=message.position == 1,
        ),
        org=message.organization_id,
        sequence=message.sequence,
        cause=event,
        audience=AUDIENCE,
    )
