"""Events of kyb: counterparties, what registers say of them, alerts, and registers that do not answer."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="kyb")


class Counterparty(Event, frozen=True, kw_only=True):
    """The state of a counterparty."""

    counterparty_id: UUID
    name: str
    country: str
    """ISO 3166-1 alpha-2."""
    vat_number: str | None
    lei: str | None
    registry_number: str | None
    monitoring: str
    """`none`, `daily` or `weekly`."""
    state: str
    """`unchecked`, `verified`, `invalid` (a register says so) or `unverified` (one was not to be had)."""
    risk_score: int
    """0 to 100."""
    risk_level: str
    """`low`, `medium` or `high`."""
    checked_at: Moment | None


@_event("counterparty.created.v1", subject="counterparty_id")
class CounterpartyCreated(Counterparty, frozen=True, kw_only=True):
    """A business is to be known."""


@_event("counterparty.changed.v1", subject="counterparty_id")
class CounterpartyChanged(Counterparty, frozen=True, kw_only=True):
    """Somebody corrected it, or registers say something else of it: `changed` names the fields.

    Fields of registers are named `<source>.<field>`.
    """

    check_id: UUID | None
    """The check that found it; none where a person changed it."""


class SourceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one register said in a check."""

    source: str
    """`vies` or `gleif`."""
    verdict: str
    """`valid`, `invalid` or `unverified`: never `invalid` because it was not to be had."""
    reason: str | None
    """Why it is not confirmed."""
    confirmed_at: Moment | None
    """When it last answered; what is known from it is as old as that."""


class RiskReason(msgspec.Struct, frozen=True, kw_only=True):
    """What adds to the risk."""

    type: str
    severity: str
    """`low`, `medium`, `high` or `critical`."""
    points: int
    detail: str


@_event("counterparty.checked.v1", subject="counterparty_id")
class CounterpartyChecked(Counterparty, frozen=True, kw_only=True):
    """A check ended, whatever it found."""

    check_id: UUID
    snapshot_id: UUID
    sources: list[SourceResult]
    reasons: list[RiskReason]


@_event("counterparty.alert.raised.v1", subject="alert_id")
class CounterpartyAlertRaised(Event, frozen=True, kw_only=True):
    """Something about it is new and wants a person's eye."""

    alert_id: UUID
    counterparty_id: UUID
    counterparty_name: str
    check_id: UUID
    type: str
    """`vat_invalid`, `lei_unknown`, `lei_lapsed`, `name_mismatch`, `address_changed`, `parent_changed`, …"""
    severity: str
    """`low`, `medium`, `high` or `critical`."""
    detail: str
    raised_at: Moment


class Source(Event, frozen=True, kw_only=True):
    """A register as this organization's checks find it."""

    source_id: UUID
    source: str
    """`vies` or `gleif`."""
    scope: str | None
    """The member state whose part of it this is; none for the whole."""
    reason: str | None
    occurred_at: Moment


@_event("source.failed.v1", subject="source_id")
class SourceFailed(Source, frozen=True, kw_only=True):
    """It does not answer; told once until it has recovered."""


@_event("source.recovered.v1", subject="source_id")
class SourceRecovered(Source, frozen=True, kw_only=True):
    """It answers again."""


@_event("counterparty.decision.requested.v1", subject="request_id", wish=True)
class CounterpartyDecisionRequested(Event, frozen=True, kw_only=True):
    """Somebody waits to know whether to deal with it. Answered by `counterparty.cleared` or `counterparty.refused`.

    By its checks where they are certain, else by a person, however long that takes.
    """

    request_id: UUID
    onboarding_id: UUID
    counterparty_id: UUID


class CounterpartyDecision(Event, frozen=True, kw_only=True):
    """What was decided of a counterparty, for one deal."""

    onboarding_id: UUID
    counterparty_id: UUID
    deal_id: UUID
    reason: str
    decided_by: UUID | None
    """None: its checks were certain."""
    decided_at: Moment


@_event("counterparty.cleared.v1", subject="onboarding_id")
class CounterpartyCleared(CounterpartyDecision, frozen=True, kw_only=True):
    """It may be dealt with: the deal is released."""


@_event("counterparty.refused.v1", subject="onboarding_id")
class CounterpartyRefused(CounterpartyDecision, frozen=True, kw_only=True):
    """It may not: the deal stays held."""
