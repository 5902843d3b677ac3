"""What became of messages that went out."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from flotilla.bus.declare import NotYetKnown, reaction
from flotilla.bus.envelope import Received
from flotilla.events.integrations import (
    ChannelMessageFailed,
    ChannelMessageSent,
    ChannelMessageUnconfirmed,
    ChannelReceiptReceived,
    Delivery,
)
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation
from flotilla_messaging.domain.delivery import Fact, NotSentYetError, advance
from flotilla_messaging.domain.messages import Message, MessageState
from flotilla_messaging.events import AUDIENCE, state_event
from flotilla_messaging.metrics import STATES
from flotilla_messaging.store import conversations, messages

log = structlog.get_logger()

Told = Received[Delivery]
Key = tuple[UUID, UUID]

SENT: Final = "sent message"
"""What an early receipt waits for."""

_STATES: Final[dict[type[Delivery], MessageState]] = {
    ChannelMessageUnconfirmed: MessageState.UNKNOWN,
    ChannelMessageFailed: MessageState.FAILED,
    ChannelMessageSent: MessageState.SENT,
}
_ORDER: Final = {state: place for place, state in enumerate(MessageState)}


@reaction(
    ChannelMessageSent,
    ChannelMessageFailed,
    ChannelMessageUnconfirmed,
    ChannelReceiptReceived,
    lane="deliveries",
)
async def follow_deliveries(tx: Transaction, batch: Sequence[Told]) -> None:
    """Bring each message to the state that its facts give; facts of one message go in the order of states."""
    keys = sorted({(event.org, event.data.message_id) for event in batch})
    held = await _lock_conversations(tx, keys)
    before = {(each.organization_id, each.id): each for each in await messages.lock(tx, keys)}
    now = dict(before)
    for event in sorted(batch, key=lambda each: _ORDER[_fact(each.data).state]):
        key = (event.org, event.data.message_id)
        if key not in now or held[_home(now[key])].account_id != event.data.account_id:
            log.warning("delivery.unknown", org=str(event.org), message_id=str(event.data.message_id))
            continue
        now[key] = _follow(tx, held[_home(now[key])], now[key], event)
    changed = [message for key, message in now.items() if message is not before[key]]
    await messages.save(tx, changed)
    await unanswer_failed(tx, held, changed)
    sent = [each.id for each in changed if before[each.organization_id, each.id].state is MessageState.QUEUED]
    if sent:
        await tx.arrived(SENT, sent)


def _fact(told: Delivery) -> Fact:
    if isinstance(told, ChannelReceiptReceived):
        state = MessageState.READ if told.receipt == "read" else MessageState.DELIVERED
    else:
        state = _STATES[type(told)]
    return Fact(state, told.occurred_at, told.external_id, told.reason)


def _home(message: Message) -> Key:
    return (message.organization_id, message.conversation_id)


async def _lock_conversations(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Conversation]:
    """Conversations before messages, as everybody locks them."""
    orgs, ids = map(list, zip(*keys, strict=True))
    rows = await tx.fetch(messages.CONVERSATIONS_OF, orgs, ids)
    homes = [(row["organization_id"], row["conversation_id"]) for row in rows]
    return {(each.organization_id, each.id): each for each in await conversations.lock(tx, homes)}


def _follow(tx: Transaction, conversation: Conversation, message: Message, event: Told) -> Message:
    try:
        reached = advance(message, _fact(event.data))
    except NotSentYetError:
        raise NotYetKnown(SENT, message.id) from None
    return say_reached(tx, conversation, message, reached, cause=event)


def say_reached(
    tx: Transaction,
    conversation: Conversation,
    message: Message,
    reached: Iterable[Message],
    *,
    cause: Received[Any] | None = None,
) -> Message:
    """Tell each state the message went through: the last one."""
    for step in reached:
        tx.after_commit(STATES.labels(conversation.channel, step.state).inc)
        tx.emit(
            state_event(conversation, step, message),
            org=step.organization_id,
            sequence=step.sequence,
            cause=cause,
            audience=AUDIENCE,
        )
        message = step
    return message


async def unanswer_failed(tx: Transaction, held: dict[Key, Conversation], changed: Sequence[Message]) -> None:
    """A reply that failed answered nobody: the customer waits since they wrote, unless another reply followed."""
    failed = [each for each in changed if each.state is MessageState.FAILED and each.responds_to_at]
    if not failed:
        return
    rows = await tx.fetch(
        messages.ANSWERED_SINCE, [each.organization_id for each in failed], [each.id for each in failed]
    )
    answered = {row["id"] for row in rows}
    now = dict(held)
    for each in failed:
        if each.id not in answered and each.responds_to_at is not None:
            now[_home(each)] = now[_home(each)].unanswered_again(each.responds_to_at)
    await conversations.save(tx, [each for key, each in now.items() if each is not held[key]])
