"""Work to be done for a subscription, written down in the transaction that makes it necessary.

Rows are locked in one order, so that nobody waits in a circle: a subscription, then its turn's or its queue's row.
Turns and the making of queues hold theirs first; what they find out about the subscription is therefore ruled by a
timer of its own (`partner.ruling`), under a key that nobody else waits for.
"""

from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from flotilla.cause import Cause
from flotilla.store.postgres import Transaction

from flotilla_integrations.partners.domain import Subscription

TURN: Final = "partner.turn"
PROVISION: Final = "partner.provision"
RULING: Final = "partner.ruling"
REPLAY: Final = "partner.replay"
ACTOR: Final = "service:integrations"


class Turn(msgspec.Struct, frozen=True):
    """Deliver what is due of this subscription."""

    subscription_id: UUID


class Provision(msgspec.Struct, frozen=True):
    """Have the broker be as this subscription says."""

    subscription_id: UUID


class Ruling(msgspec.Struct, frozen=True):
    """What was found of a subscription that stood at `sequence`."""

    subscription_id: UUID
    sequence: int
    verdict: Literal["ready", "disabled"]
    reason: str | None = None


class Replay(msgspec.Struct, frozen=True):
    """Deliver again what this subscription wants of the positions after one and up to another."""

    subscription_id: UUID
    run: int
    after: int
    until: int


def take_turn(tx: Transaction, org: UUID, subscription_id: UUID, at: datetime | None = None) -> None:
    """Have what is due delivered; where a turn is under way, its end sees to what came meanwhile."""
    _soon(tx, TURN, str(subscription_id), Turn(subscription_id), org, at)


def provision(tx: Transaction, org: UUID, subscription_id: UUID, at: datetime | None = None) -> None:
    """Have its queue made, changed or removed; one at a time, so that nothing removed is made again."""
    _soon(tx, PROVISION, str(subscription_id), Provision(subscription_id), org, at)


def rule_disabled(tx: Transaction, subscription: Subscription, reason: str) -> None:
    """Enough was tried."""
    _rule(tx, subscription, Ruling(subscription.id, subscription.sequence, "disabled", reason))


def rule_ready(tx: Transaction, subscription: Subscription) -> None:
    """Its queue stands."""
    _rule(tx, subscription, Ruling(subscription.id, subscription.sequence, "ready"))


def replay(tx: Transaction, org: UUID, wanted: Replay) -> None:
    """Have a page of it found, and the next after it."""
    tx.enqueue(REPLAY, f"{wanted.subscription_id}:{wanted.run}", wanted, org=org)


def _rule(tx: Transaction, subscription: Subscription, ruling: Ruling) -> None:
    _soon(tx, RULING, f"{subscription.id}:{tx.app.new_id()}", ruling, subscription.organization_id, None)


def _soon(
    tx: Transaction, kind: str, key: str, payload: msgspec.Struct, org: UUID, at: datetime | None
) -> None:
    tx.set_timer(kind, key, at or datetime.now(UTC), payload, org=org, cause=Cause.fresh(ACTOR))
