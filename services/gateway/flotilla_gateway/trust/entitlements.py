"""What each organization's plan allows, in memory: how many requests its programs have, which features are closed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from flotilla.features import API_REQUESTS
from flotilla.problems import FeatureNotIncludedError, LimitReachedError

from flotilla_gateway.limits.limiter import LimitClass
from flotilla_gateway.trust.records import Entitled

API: Final = "api"
KEY: Final = "key"
"""The class of one program's share of what all of its organization's have."""
HOUR_SECONDS: Final = 3600
UNLIMITED: Final = 1_000_000
"""An hour's requests of an organization whose contract names no number."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Allowed:
    """Of one organization."""

    budget: LimitClass | None = None
    missing: set[str] = field(default_factory=set)
    used_up: dict[str, datetime] = field(default_factory=dict)
    """Until when."""


@lru_cache(maxsize=4096)
def _share(requests: int, seconds: int) -> LimitClass:
    """Remembered, as every request asks for one; keys may come with as many limits as there are numbers."""
    return LimitClass(KEY, requests, seconds)


class Entitlements:
    """Of all organizations; one that nothing is known of may use every feature, and has the smallest budget."""

    def __init__(self, unknown: LimitClass) -> None:
        """`unknown`: the budget of an organization of which billing has said nothing yet."""
        self._unknown = unknown
        self._known: dict[UUID, _Allowed] = {}
        self._budgets: dict[int, LimitClass] = {}

    def replace(self, rows: Iterable[Entitled]) -> None:
        """These and no others."""
        self._known = {}
        self._add(rows)

    def learn(self, organizations: Iterable[UUID], rows: Iterable[Entitled]) -> None:
        """All there is of these organizations."""
        for org in organizations:
            self._known.pop(org, None)
        self._add(rows)

    def budget(self, org: UUID) -> LimitClass:
        """What all programs of the organization share."""
        allowed = self._known.get(org)
        return self._unknown if allowed is None or allowed.budget is None else allowed.budget

    def share(self, budget: LimitClass, own: int | None, *, alone: bool) -> LimitClass | None:
        """What one program may use of that: half, so that one that runs wild leaves the others something; all of it,
        and no budget of its own, where the organization has no other. Where whoever made its key said so (`own`, an
        hour), no more than that; never more than the plan has."""
        most = budget.requests if alone else (budget.requests + 1) // 2
        if own is not None and own * budget.seconds < most * HOUR_SECONDS:
            return _share(own, HOUR_SECONDS)
        return None if alone else _share(most, budget.seconds)

    def check(self, org: UUID, feature: str) -> None:
        """A 403 problem where the plan has no such feature, 402 where what it allows of it is used up."""
        allowed = self._known.get(org)
        if allowed is None:
            return
        if feature in allowed.missing:
            raise FeatureNotIncludedError(
                "Your plan does not include this. An owner can change it: GET /v1/plans, PUT /v1/subscription.",
                feature=feature,
            )
        until = allowed.used_up.get(feature)
        if until is not None and until > datetime.now(UTC):
            renewed = "" if until == _NEVER else f" It may be used again from {until:%Y-%m-%dT%H:%MZ}."
            raise LimitReachedError(
                "What your plan allows of this is used up: GET /v1/usage."
                f"{renewed} An owner can change the plan: PUT /v1/subscription.",
                feature=feature,
            )

    def _add(self, rows: Iterable[Entitled]) -> None:
        for row in rows:
            allowed = self._known.setdefault(row.organization_id, _Allowed())
            if row.feature == API_REQUESTS:
                allowed.budget = self._budget(row.usage_limit) if row.enabled else None
            elif not row.enabled:
                allowed.missing.add(row.feature)
            elif row.used_up:
                allowed.used_up[row.feature] = row.period_ends_at or _NEVER

    def _budget(self, requests: int | None) -> LimitClass:
        requests = UNLIMITED if requests is None else max(1, requests)
        return self._budgets.setdefault(requests, LimitClass(API, requests, HOUR_SECONDS))
