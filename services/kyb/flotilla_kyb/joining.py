"""Ending a check: what the registers said is joined, kept, told, and what must follow is set."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.kyb import CounterpartyAlertRaised, RiskReason, SourceResult
from flotilla.store.postgres import Transaction

from flotilla_kyb.deciding import decide_waiting
from flotilla_kyb.domain.conclusion import Conclusion, conclude
from flotilla_kyb.domain.counterparty import Changed, Counterparty, Verdict
from flotilla_kyb.domain.rules import Finding
from flotilla_kyb.domain.timing import back_off
from flotilla_kyb.own import settings_of
from flotilla_kyb.store import alerts, checks
from flotilla_kyb.store import counterparties as store
from flotilla_kyb.work import ACTOR, AUDIENCE, DEADLINE, RECHECK, About


async def join(tx: Transaction, org: UUID, counterparty: Counterparty, check_id: UUID) -> Counterparty:
    """End a running check with what has been said so far. The transaction holds the counterparty."""
    results, _ = await checks.results(tx, org, check_id)
    before = await store.standings(tx, org, counterparty.id)
    now = await tx.fetchval(checks.NOW)
    conclusion = conclude(counterparty, check_id, results, before, now)
    for standing in conclusion.standings.values():
        await store.keep_standing(tx, org, counterparty.id, standing)
    await tx.execute(checks.END, org, check_id, "ended")
    tx.cancel_timer(DEADLINE, str(check_id))
    after, changed = await _write(tx, org, counterparty, conclusion)
    snapshot_id = await _keep_snapshot(tx, org, after, check_id, conclusion)
    if changed:
        sequence = after.sequence - 1
        tx.emit(after.changed(changed, check_id), org=org, sequence=sequence, audience=AUDIENCE)
    told = after.checked(check_id, snapshot_id, _sources(conclusion), _reasons(conclusion))
    tx.emit(told, org=org, sequence=after.sequence, audience=AUDIENCE)
    for finding in conclusion.alerts:
        await _raise(tx, org, after, check_id, finding)
    _arm_recheck(tx, org, after, now)
    await decide_waiting(tx, org, after)
    return after


async def _write(
    tx: Transaction, org: UUID, counterparty: Counterparty, conclusion: Conclusion
) -> tuple[Counterparty, Changed]:
    new = replace(
        counterparty,
        state=conclusion.state,
        risk_score=conclusion.risk_score,
        risk_level=conclusion.risk_level,
        findings=[[finding.type, finding.key] for finding in conclusion.findings],
        unanswered_checks=counterparty.unanswered_checks + 1 if conclusion.unanswered else 0,
    )
    pairs = {
        name: [getattr(counterparty, name), getattr(new, name)]
        for name in ("state", "risk_score", "risk_level")
    }
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]} | conclusion.changed
    return await store.conclude(tx, org, new, events=2 if changed else 1), changed


async def _keep_snapshot(
    tx: Transaction, org: UUID, counterparty: Counterparty, check_id: UUID, conclusion: Conclusion
) -> UUID:
    id_: UUID = tx.app.new_id()
    await tx.execute(
        checks.ADD_SNAPSHOT,
        org,
        id_,
        counterparty.id,
        check_id,
        counterparty.state,
        counterparty.risk_score,
        counterparty.risk_level,
        _reasons(conclusion),
        _sources(conclusion),
        conclusion.fields(),
        conclusion.changed,
    )
    return id_


async def _raise(
    tx: Transaction, org: UUID, counterparty: Counterparty, check_id: UUID, finding: Finding
) -> None:
    row = await tx.fetchrow(
        alerts.RAISE,
        org,
        tx.app.new_id(),
        counterparty.id,
        check_id,
        finding.type,
        finding.severity,
        finding.detail,
    )
    assert row is not None
    event = CounterpartyAlertRaised(
        alert_id=row["id"],
        counterparty_id=counterparty.id,
        counterparty_name=counterparty.name,
        check_id=check_id,
        type=finding.type,
        severity=finding.severity,
        detail=finding.detail,
        raised_at=row["raised_at"],
    )
    tx.emit(event, org=org, sequence=row["sequence"], audience=AUDIENCE)


def _arm_recheck(tx: Transaction, org: UUID, counterparty: Counterparty, now: datetime) -> None:
    """Ask again those that did not answer, later and later; nothing where all did."""
    key, tried = str(counterparty.id), counterparty.unanswered_checks
    if not tried:
        tx.cancel_timer(RECHECK, key)
        return
    first = timedelta(seconds=settings_of(tx.app).recheck_seconds)
    tx.set_timer(
        RECHECK, key, now + back_off(first, tried), About(counterparty.id), org=org, cause=Cause.fresh(ACTOR)
    )


def _sources(conclusion: Conclusion) -> list[SourceResult]:
    return [
        SourceResult(
            source=source,
            verdict=(standing.verdict or Verdict.UNVERIFIED) if standing.answered else Verdict.UNVERIFIED,
            reason=standing.reason,
            confirmed_at=standing.confirmed_at,
        )
        for source, standing in conclusion.standings.items()
    ]


def _reasons(conclusion: Conclusion) -> list[RiskReason]:
    return [
        RiskReason(type=finding.type, severity=finding.severity, points=finding.points, detail=finding.detail)
        for finding in conclusion.findings
    ]
