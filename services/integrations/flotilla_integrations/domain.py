"""Accounts, ids of what comes in, and the order of what goes out; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.ids import derived_id, new_id

from flotilla_integrations.adapters.base import InboundMessage, Receipt

EPOCH: Final = datetime.fromtimestamp(0, UTC)
DERIVED_FOR: Final = timedelta(days=2)
"""Events of messages older than this have ids of their own: inboxes forget ids after three days."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)
GAP: Final = timedelta(seconds=10)
"""How long a send waits for one with a lower number that has not come yet."""


class AccountState(StrEnum):
    """How an account stands with its vendor."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Account:
    """A connected account, its credentials sealed."""

    organization_id: UUID
    id: UUID
    connector: str
    name: str
    state: AccountState
    reason: str | None
    external_id: str | None
    settings: dict[str, Any]
    sealed: bytes | None
    created_at: datetime
    sequence: int
    user_id: UUID | None = None
    """Whose own it is; None where it is the organization's."""


class Sealed(msgspec.Struct, frozen=True):
    """What is sealed of an account."""

    credentials: dict[str, Any]
    hook_secret: str
    """For vendors that repeat a secret of ours."""


def message_id(channel: str, account_id: UUID, message: InboundMessage) -> UUID:
    """Of the channel's own id, so that the same message is the same message however often it comes."""
    return derived_id(message.sent_at, channel, str(account_id), message.chat, message.external_id)


def identity_id(channel: str, account_id: UUID, address: str | None) -> UUID:
    """Of (channel, account, address) alone: a person's identity does not depend on when they write."""
    return derived_id(EPOCH, channel, str(account_id), address or "")


def message_event_id(message: InboundMessage, id_: UUID, now: datetime) -> UUID:
    """The same event for the same message, as far back as inboxes remember; messaging knows older messages."""
    return _event_id(message.sent_at, now, "received", str(id_))


def receipt_event_id(receipt: Receipt, now: datetime) -> UUID:
    """The same event for the same receipt."""
    return _event_id(receipt.occurred_at, now, receipt.receipt, str(receipt.message_id))


def _event_id(at: datetime, now: datetime, *name: str) -> UUID:
    return derived_id(at, "event", *name) if now - DERIVED_FOR < at < now + CLOCKS_DIFFER else new_id()


class SendState(StrEnum):
    """How a send stands."""

    WAITING = "waiting"
    HANDED = "handed"
    """A job has it."""
    SENT = "sent"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A send that is not decided."""

    id: UUID
    number: int
    state: SendState
    release_at: datetime


def next_in_line(passed: int, line: Sequence[Waiting], now: datetime) -> Waiting | None:
    """Which send of a conversation may be handed to its job now; None while one is, or none may.

    They go by number, one at a time. Where a number is missing, its send is on its way: the next one waits for
    it until its `release_at`, no longer.
    """
    if any(each.state is SendState.HANDED for each in line):
        return None
    first = min(line, key=lambda each: each.number, default=None)
    if first is None or (first.number > passed + 1 and first.release_at > now):
        return None
    return first


def waits_for_a_gap(passed: int, line: Sequence[Waiting], send: Waiting) -> bool:
    """Whether the send before this one is neither decided nor in line."""
    return send.number > passed + 1 and all(each.number != send.number - 1 for each in line)
