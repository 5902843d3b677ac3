"""A counterparty, what registers said of it, and what it tells others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from flotilla.events import kyb as events

from flotilla_kyb.domain.identity import Identity

Changed = dict[str, list[Any]]
"""`{field: [old, new]}`, as events carry it."""


class Monitoring(StrEnum):
    """How often it is checked by itself."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"


class Verdict(StrEnum):
    """What a register says; `unverified` where it says nothing."""

    VALID = "valid"
    INVALID = "invalid"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, kw_only=True)
class Counterparty:
    """A business that somebody deals with."""

    id: UUID
    sequence: int = 1
    name: str
    country: str
    vat_number: str | None = None
    lei: str | None = None
    registry_number: str | None = None
    monitoring: str = Monitoring.NONE
    state: str = "unchecked"
    risk_score: int = 0
    risk_level: str = "low"
    checked_at: datetime | None = None
    findings: list[list[str]] = field(default_factory=list)
    unanswered_checks: int = 0
    created_at: datetime
    updated_at: datetime

    @property
    def identity(self) -> Identity:
        """What registers are asked about."""
        return Identity(
            name=self.name,
            country=self.country,
            vat_number=self.vat_number,
            lei=self.lei,
            registry_number=self.registry_number,
        )

    def created(self) -> events.CounterpartyCreated:
        """Tells that it is known."""
        return events.CounterpartyCreated(**self._public())

    def changed(self, changed: Changed, check_id: UUID | None = None) -> events.CounterpartyChanged:
        """Tells that a person or a register says something else of it."""
        return events.CounterpartyChanged(**self._public(), changed=changed, check_id=check_id)

    def checked(
        self,
        check_id: UUID,
        snapshot_id: UUID,
        sources: Sequence[events.SourceResult],
        reasons: Sequence[events.RiskReason],
    ) -> events.CounterpartyChecked:
        """Tells how a check ended."""
        return events.CounterpartyChecked(
            **self._public(),
            check_id=check_id,
            snapshot_id=snapshot_id,
            sources=list(sources),
            reasons=list(reasons),
        )

    def _public(self) -> dict[str, Any]:
        names = (
            "name country vat_number lei registry_number monitoring state risk_score risk_level checked_at"
        )
        return {"counterparty_id": self.id} | {name: getattr(self, name) for name in names.split()}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a register last said of a counterparty, and since when it has not answered."""

    source: str
    verdict: str | None = None
    """None: it has never answered."""
    fields: Mapping[str, str | None] = field(default_factory=dict)
    check_id: UUID | None = None
    confirmed_at: datetime | None = None
    unanswered_since: datetime | None = None
    reason: str | None = None

    @property
    def answered(self) -> bool:
        """Whether its last word is of the last time it was asked."""
        return self.unanswered_since is None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a register said in one check."""

    source: str
    verdict: str
    reason: str | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
