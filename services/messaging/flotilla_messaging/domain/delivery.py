"""What the facts that a channel tells of a message do to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flotilla_messaging.domain.messages import Message, MessageState, moves


class NotSentYetError(Exception):
    """A receipt came before the channel's own word that it took the message, which is on its way."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing the channel, or a person in its stead, says of a message."""

    state: MessageState
    occurred_at: datetime
    external_id: str | None = None
    reason: str | None = None

    @property
    def is_receipt(self) -> bool:
        """Whether it says more than that the channel took the message."""
        return self.state in (MessageState.DELIVERED, MessageState.READ)


def advance(message: Message, fact: Fact) -> list[Message]:
    """The states the message goes through because of this fact, in order; none where it says nothing new.

    A receipt for a message whose sending is unknown or was thought to have failed proves that it was sent: it
    goes through `sent` first. NotSentYetError for a receipt of a message that is still queued.
    """
    if not moves(message.state, fact.state):
        return []
    steps: Iterable[MessageState] = (fact.state,)
    if fact.is_receipt and moves(message.state, MessageState.SENT):
        if message.state is MessageState.QUEUED:
            raise NotSentYetError(message.id)
        steps = (MessageState.SENT, fact.state)
    reached = []
    for state in steps:
        message = message.reached(state, fact.occurred_at, external_id=fact.external_id, reason=fact.reason)
        reached.append(message)
    return reached
