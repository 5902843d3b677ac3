"""An organization's subscription to Flotilla."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from flotilla.events import billing as events
from flotilla.ids import derived_id

from flotilla_billing.domain.entitlements import period_after, period_of
from flotilla_billing.domain.plans import Plans


class SubscriptionState(StrEnum):
    """Where a subscription stands."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """Which plan an organization has, and until when."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    plan: str
    state: SubscriptionState
    provider: str = "local"
    trial_ends_at: datetime | None = None
    period_started_at: datetime
    period_ends_at: datetime
    cancel_at_period_end: bool = False
    grace_ends_at: datetime | None = None
    """While it is `past_due`: when the plan is lost."""
    created_at: datetime

    @classmethod
    def trial(cls, plans: Plans, org: UUID, now: datetime) -> "Subscription":
        """How every organization begins."""
        ends_at = now + timedelta(days=plans.trial.days)
        return cls(
            organization_id=org,
            id=derived_id(now, "subscription", str(org)),
            plan=plans.trial.plan,
            state=SubscriptionState.TRIALING,
            trial_ends_at=ends_at,
            period_started_at=now,
            period_ends_at=ends_at,
            created_at=now,
        )

    def on(self, plan: str, now: datetime) -> "Subscription":
        """On another plan from now on, with the calendar month as its period; no trial any more."""
        started_at = period_of(now)
        return replace(
            self,
            plan=plan,
            state=SubscriptionState.ACTIVE,
            trial_ends_at=None,
            period_started_at=started_at,
            period_ends_at=period_after(started_at),
            cancel_at_period_end=False,
            grace_ends_at=None,
        )

    def ended(self) -> "Subscription":
        """No more; what everybody has stays."""
        return replace(
            self, state=SubscriptionState.CANCELLED, trial_ends_at=None, cancel_at_period_end=False
        )

    def effective_plan(self, plans: Plans) -> str:
        """Whose allowances count: who has ended what they paid for keeps what everybody has."""
        return plans.trial.then if self.state is SubscriptionState.CANCELLED else self.plan

    def created(self) -> events.SubscriptionCreated:
        """Tells that the organization has a plan."""
        return events.SubscriptionCreated(**self._told())

    def updated(self, before: "Subscription") -> events.SubscriptionUpdated:
        """Tells what changed."""
        return events.SubscriptionUpdated(**self._told(), changed=self._changed(before))

    def cancelled(self, before: "Subscription") -> events.SubscriptionCancelled:
        """Tells that it has ended."""
        return events.SubscriptionCancelled(**self._told(), changed=self._changed(before))

    def _changed(self, before: "Subscription") -> dict[str, list[Any]]:
        old, new = before._told(), self._told()
        return {name: [old[name], new[name]] for name in new if old[name] != new[name]}

    def _told(self) -> dict[str, Any]:
        return {
            "subscription_id": self.id,
            "plan": self.plan,
            "state": self.state,
            "provider": self.provider,
            "trial_ends_at": self.trial_ends_at,
            "period_started_at": self.period_started_at,
            "period_ends_at": self.period_ends_at,
            "cancel_at_period_end": self.cancel_at_period_end,
            "grace_ends_at": self.grace_ends_at,
        }
