"""What an organization may use, what it has used, and when somebody must be told.

A period is a calendar month in UTC, for everybody. A use belongs to the period of its own time: one that is told of
late counts in the past and changes nothing now.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from flotilla.events import billing as events

from flotilla_billing.domain.plans import Allowance, plans

SHARES: Final = (80, 100)
"""Told of, in percent of the limit, once a period each."""


def period_of(at: datetime) -> datetime:
    """When the period of that moment began."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def period_after(started_at: datetime) -> datetime:
    """When a period ends, which is when the next begins."""
    if started_at.month == 12:
        return started_at.replace(year=started_at.year + 1, month=1)
    return started_at.replace(month=started_at.month + 1)


@dataclass(frozen=True, kw_only=True)
class Entitlement:
    """What an organization may use of one feature."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    feature: str
    enabled: bool
    usage_limit: int | None
    beyond: str = "block"
    used: int = 0
    told: int = 0
    """The highest share that was told of in this period; 0 for none."""
    period_started_at: datetime

    @property
    def share(self) -> int:
        """The highest of `SHARES` that is used up; 0 for none."""
        limit = self.usage_limit
        if limit is None:
            return 0
        return max((share for share in SHARES if self.used * 100 >= limit * share), default=0)

    @property
    def blocked(self) -> bool:
        """Whether nothing more may be used."""
        return not self.enabled or (self.beyond == "block" and self.share == 100)

    @property
    def past_limit(self) -> int:
        """How much was used beyond the limit."""
        return 0 if self.usage_limit is None else max(0, self.used - self.usage_limit)

    def past_limit_in(self, later: "Entitlement") -> int:
        """How much of what `later` has beyond its limit was beyond it before already; a new period has nothing."""
        return self.past_limit if self.period_started_at == later.period_started_at else 0

    def counting(self, amount: int, period: datetime, *, resets: bool) -> "Entitlement":
        """With so much more used in that period; `resets`: whether each period begins at nothing."""
        if not resets:
            return replace(self, used=max(0, self.used + amount))
        if period < self.period_started_at:
            return self
        if period > self.period_started_at:
            return replace(self, used=amount, told=0, period_started_at=period)
        return replace(self, used=self.used + amount)

    def at(self, period: datetime, *, resets: bool) -> "Entitlement":
        """As it is in that period, if nothing was used in it yet."""
        return self.counting(0, period, resets=resets) if resets else replace(self, period_started_at=period)

    def allowing(self, allowance: Allowance | None) -> "Entitlement":
        """Under another plan."""
        if allowance is None:
            return replace(self, enabled=False, usage_limit=0, beyond="block")
        return replace(self, enabled=True, usage_limit=allowance.limit, beyond=allowance.beyond)

    def allows_otherwise(self, before: "Entitlement") -> bool:
        """Whether it allows another thing than before, however much of it was used."""
        names = ("enabled", "usage_limit", "beyond")
        return any(getattr(before, name) != getattr(self, name) for name in names)

    def acknowledged(self) -> tuple["Entitlement", tuple[int, ...]]:
        """With everything told, and the shares that have to be told of now.

        A share that is no longer used up (a seat was given back, the limit was raised) may be told of again.
        """
        due = tuple(share for share in SHARES if self.told < share <= self.share) if self.enabled else ()
        return replace(self, told=self.share), due

    def changed(self, before: "Entitlement | None") -> events.EntitlementChanged:
        """Tells what it is now."""
        names = {"enabled": "enabled", "usage_limit": "limit", "beyond": "beyond", "used": "used"}
        changed = {
            told: [getattr(before, name), getattr(self, name)]
            for name, told in names.items()
            if before is not None and getattr(before, name) != getattr(self, name)
        }
        return events.EntitlementChanged(**self._told(), changed=changed)

    def reached(self, percent: int) -> events.UsageLimitReached:
        """Tells that a share of it is used up."""
        blocked = self.blocked and percent == 100
        return events.UsageLimitReached(**self._told(), percent=percent, blocked=blocked)

    def _told(self) -> dict[str, Any]:
        return {
            "entitlement_id": self.id,
            "feature": self.feature,
            "enabled": self.enabled,
            "limit": self.usage_limit,
            "used": self.used,
            "beyond": self.beyond,
            "resets": plans().resets(self.feature),
            "period_started_at": self.period_started_at,
            "period_ends_at": period_after(self.period_started_at),
        }
