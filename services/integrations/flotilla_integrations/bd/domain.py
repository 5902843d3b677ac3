"""Business development accounts, their warm-up, offers and purchases; no I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID

from flotilla.events import bd_accounts as events

OWN: Final = "own"
PURCHASED: Final = "purchased"
RENTED: Final = "rented"
SALE: Final = "sale"
RENT: Final = "rent"
COLD: Final = 0.1
"""The part of its limit that an account may send on the first day of its warm-up."""


@dataclass(frozen=True, kw_only=True)
class BdAccount:
    """An account for business development, with what its connected account says."""

    organization_id: UUID
    id: UUID
    network: str
    name: str
    acquired: str
    state: str
    reason: str | None
    user_id: UUID | None
    daily_limit: int
    warm_up_started_at: datetime | None
    warm_up_days: int
    rent_ends_at: datetime | None
    purchase_id: UUID | None
    created_at: datetime
    sequence: int
    sent_today: int = 0

    @property
    def warm_up_ends_at(self) -> datetime | None:
        """None where it needs no warming up."""
        if self.warm_up_started_at is None or not self.warm_up_days:
            return None
        return self.warm_up_started_at + timedelta(days=self.warm_up_days)

    def limit_at(self, now: datetime) -> int:
        """How many messages it may send on that day."""
        return limit_at(self.daily_limit, self.warm_up_started_at, self.warm_up_days, now)

    def told(self, kind: type[events.BdAccount]) -> events.BdAccount:
        """Its state, as an event of that type."""
        return kind(
            bd_account_id=self.id,
            network=self.network,
            name=self.name,
            acquired=self.acquired,
            state=self.state,
            user_id=self.user_id,
            daily_limit=self.daily_limit,
            warm_up_ends_at=self.warm_up_ends_at,
            rent_ends_at=self.rent_ends_at,
            purchase_id=self.purchase_id,
            reason=self.reason,
        )


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Something on the market."""

    id: UUID
    seller_id: UUID
    account_id: UUID
    kind: str
    network: str
    title: str
    price_minor: int
    currency: str
    rent_days: int | None
    daily_limit: int
    state: str
    purchase_id: UUID | None
    created_at: datetime
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """A sale or a rent, as the buyer has it."""

    organization_id: UUID
    id: UUID
    offer_id: UUID
    seller_id: UUID
    source_account_id: UUID
    bd_account_id: UUID
    kind: str
    network: str
    title: str
    price_minor: int
    currency: str
    rent_days: int | None
    daily_limit: int
    user_id: UUID
    state: str
    reason: str | None
    handover_request_id: UUID | None
    revoke_request_id: UUID | None
    created_at: datetime
    sequence: int

    def never_had(self, reason: str) -> events.BdAccountReleased:
        """Tells that it was not bought after all: the offer stands again."""
        return events.BdAccountReleased(
            bd_account_id=self.bd_account_id,
            network=self.network,
            name=self.title,
            acquired=PURCHASED if self.kind == SALE else RENTED,
            state="released",
            user_id=None,
            daily_limit=self.daily_limit,
            warm_up_ends_at=None,
            rent_ends_at=None,
            purchase_id=self.id,
            reason=reason,
        )


def limit_at(full: int, started_at: datetime | None, days: int, now: datetime) -> int:
    """From a tenth on the first day of the warm-up to all on the last, the same step each day; at least one."""
    if started_at is None or not days:
        return full
    day = (now.astimezone(UTC).date() - started_at.astimezone(UTC).date()).days
    if day >= days:
        return full
    return max(1, int(full * (COLD + (1 - COLD) * max(day, 0) / days)))


def next_day(now: datetime) -> datetime:
    """When the day's count begins anew (UTC)."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
