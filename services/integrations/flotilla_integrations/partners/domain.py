"""Subscriptions, their deliveries, when these are tried again, and when enough was tried; no I/O."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events.integrations import PartnerSubscriptionChanged

from flotilla_integrations.partners.filters import Filters, matches
from flotilla_integrations.partners.offer import expand, may_see
from flotilla_integrations.partners.redaction import redacted

WINDOW: Final = timedelta(days=7)
"""How long events are kept for partners: as far back as a replay goes."""
LOG: Final = timedelta(days=30)
"""How long deliveries are told of."""
BOTH_SECRETS: Final = timedelta(hours=24)
"""How long webhooks are signed with the old secret too, after it was changed."""
LONGEST_REST: Final = timedelta(minutes=5)
LONGEST_WISH: Final = timedelta(hours=1)
"""A partner that asks to be left alone for longer (Retry-After) is asked again by then."""
JITTER: Final = 0.1


class Kind(StrEnum):
    """How a subscription is delivered."""

    AMQP = "amqp"
    WEBHOOK = "webhook"


class State(StrEnum):
    """How a subscription stands."""

    PREPARING = "preparing"
    """Its queue is being made; what happens meanwhile will be in it."""
    ACTIVE = "active"
    PAUSED = "paused"
    """Nothing goes out; what happens is kept for as long as the window."""
    DISABLED = "disabled"
    """It was given up; nothing is kept for it."""
    DELETED = "deleted"


LISTENING: Final = (State.PREPARING, State.ACTIVE, State.PAUSED)
"""States in which what happens is kept for it."""

GONE: Final = "The endpoint answered 410: it wants nothing more."
UNANSWERED: Final = "An event was tried as often as the schedule says, and nothing else was taken meanwhile."
UNREAD: Final = "Its queue could not be written to for days: it is full of events that nobody reads."


class Secrets(msgspec.Struct, frozen=True):
    """What is sealed of a subscription."""

    signing: str | None = None
    """`whsec_…`, of webhooks."""
    old_signing: str | None = None
    old_until: datetime | None = None
    password_hash: str | None = None
    """Of the broker's user; the password itself is kept nowhere."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a partner's program is told, and how."""

    organization_id: UUID
    id: UUID
    sequence: int
    kind: Kind
    name: str
    types: list[str]
    filters: Filters
    personal_data: bool
    org_wide: bool
    """Whether who made it sees events of any audience."""
    url: str | None
    state: State
    reason: str | None
    sealed: bytes | None
    runs: int
    """How often something was delivered again: each time has a number."""
    created_at: datetime
    updated_at: datetime

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Whether it is told of an event, decoded."""
        if event["type"] not in expand(self.types):
            return False
        if not may_see(event.get("audience"), org_wide=self.org_wide):
            return False
        return not self.filters or matches(
            self.filters, event if self.personal_data else redacted(dict(event))
        )

    def told(self, changed: Mapping[str, list[Any]] | None = None) -> PartnerSubscriptionChanged:
        """Its state, as others are told."""
        return PartnerSubscriptionChanged(
            subscription_id=self.id,
            kind=self.kind,
            name=self.name,
            types=self.types,
            filters={name: list(values) for name, values in self.filters.items()},
            personal_data=self.personal_data,
            state=self.state,
            reason=self.reason,
            changed=dict(changed or {}),
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery in hand."""

    id: UUID
    event_id: UUID
    type: str
    position: int | None
    attempts: int
    made_at: datetime
    body: bytes | None
    """None where the event has left the window."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending a letter."""

    letter: Letter
    delivered: bool
    status: int | None = None
    milliseconds: int | None = None
    response: str | None = None
    error: str | None = None
    retry_after: timedelta | None = None
    counts: bool = True
    """Not where the partner was surely not reached for a reason of ours: a queue that is full, a breaker."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a subscription's deliveries went lately."""

    failures: int = 0
    """Turns in a row in which nothing was taken."""
    failing_since: datetime | None = None
    rest_until: datetime | None = None
    delivered_at: datetime | None = None

    def since(self, changed_at: datetime) -> "Health":
        """What it says of a subscription that was last changed then: failures before are forgiven."""
        if self.failing_since is None or self.failing_since >= changed_at:
            return self
        return Health(delivered_at=self.delivered_at)

    def after(
        self, attempts: Sequence[Attempt], now: datetime, rest: timedelta, *, jitter: float | None = None
    ) -> "Health":
        """After a turn: one in which nothing was taken is followed by a rest, each longer than the one before."""
        if not attempts:
            return self
        if any(each.delivered for each in attempts):
            # A queue that is full takes more when somebody has read.
            full = any(not each.delivered and not each.counts for each in attempts)
            return Health(rest_until=now + rest if full else None, delivered_at=now)
        longest = max(rest, LONGEST_REST)
        wait = min(rest * 2 ** min(self.failures, 20), longest) * _jittered(jitter)
        return replace(
            self,
            failures=self.failures + 1,
            failing_since=self.failing_since or now,
            rest_until=now + wait,
        )


def next_attempt(
    schedule: Sequence[float],
    failed: int,
    retry_after: timedelta | None = None,
    *,
    jitter: float | None = None,
) -> timedelta | None:
    """How long after its `failed`th failure an event is sent again; None where it never is.

    `schedule`: seconds between attempts.
    """
    if failed > len(schedule):
        return None
    planned = timedelta(seconds=schedule[failed - 1] * _jittered(jitter))
    return max(planned, min(retry_after or timedelta(0), LONGEST_WISH))


def _jittered(jitter: float | None) -> float:
    """So that what failed together does not come back together."""
    return 1 + (random.uniform(0, JITTER) if jitter is None else jitter)


def verdict(
    subscription: Subscription,
    attempts: Sequence[Attempt],
    health: Health,
    schedule: Sequence[float],
    now: datetime,
    patience: timedelta,
) -> str | None:
    """Why the subscription should be disabled after this turn; None where it should not.

    `health`: after the turn.
    """
    if any(each.status == 410 for each in attempts):
        return GONE
    if subscription.kind is Kind.AMQP:
        since = health.failing_since
        return UNREAD if since is not None and now - since > patience else None
    exhausted = (
        each.letter
        for each in attempts
        if not each.delivered
        and each.counts
        and each.letter.attempts + 1 > len(schedule)
        # Tried all the way as the subscription is now, not as it was before somebody mended it.
        and each.letter.made_at >= subscription.updated_at
    )
    taken = health.delivered_at
    return UNANSWERED if any(taken is None or taken < letter.made_at for letter in exhausted) else None
