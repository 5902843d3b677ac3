"""What the generator is told, and what it says at the end."""

from typing import Any

import msgspec


class Place(msgspec.Struct):
    """An organization: where its customers' messages go, and who looks on."""

    hook: str
    """Path of the webhook."""
    secret: str
    bearer: str


class Plan(msgspec.Struct):
    """What is to be done; `update` is a Telegram update, of which the ids, the chat and the text are changed."""

    address: str
    offices: list[Place]
    update: dict[str, Any]
    text: str
    rate: float
    seconds: float
    sockets: int
    conversation: int
    """Messages of a conversation."""
    at_once: int
    """Conversations of an organization that take turns."""


class Tally(msgspec.Struct):
    """What it did and saw."""

    posted: int = 0
    accepted: int = 0
    refused: dict[int, int] = {}
    """Posts that were not answered 200, by status; 0: the connection ended before."""
    pushed: int = 0
    """Messages that the first socket of their organization was sent."""
    lost: int = 0
    """Messages that were accepted and not pushed."""
    doubled: int = 0
    """Pushes of a message beyond its first."""
    repeated: int = 0
    """Events of any kind that a first socket was sent again."""
    events: int = 0
    """That all sockets were sent."""
    missing: int = 0
    """Of them that other sockets were not sent, though the first of their organization was."""
    surplus: int = 0
    """And the other way round."""
    resynced: int = 0
    """How often a socket was told to read everything again, because it was too slow or away."""
    closed: int = 0
    """Sockets that were not open to the end."""
    approved: int = 0
    not_approved: dict[int, int] = {}
    """Approvals that were refused, by status: 409 where a newer message had ended the draft meanwhile."""
    sending_seconds: float = 0.0
    late_seconds: float = 0.0
    """How late the generator itself was at worst: it must not be what bounds the rate."""
    latencies: list[tuple[float, float]] = []
    """Of each message that was seen: when it was posted, and how long it took until it was seen first; seconds."""


def chat_of(plan: Plan, number: int) -> int:
    """Whose message it is."""
    rounds, turn = divmod(number // len(plan.offices), plan.at_once)
    return 1000 + rounds // plan.conversation * plan.at_once + turn
