"""What follows from a check: state, risk, what is different, what somebody should be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla_kyb.domain.counterparty import Changed, Counterparty, Result, Standing, Verdict
from flotilla_kyb.domain.identity import coverage
from flotilla_kyb.domain.rules import Finding, View, judge

LEVELS: Final = ((50, "high"), (20, "medium"), (0, "low"))


@dataclass(frozen=True)
class Conclusion:
    """What a check comes to."""

    state: str
    risk_score: int
    risk_level: str
    standings: Mapping[str, Standing]
    """Of every register that covers it, asked in this check or not."""
    findings: Sequence[Finding]
    changed: Changed
    """What registers say otherwise, `<source>.<field>` → [old, new]."""
    alerts: Sequence[Finding]
    """What is new and wants a person's eye."""

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The registers that are to be asked again."""
        return tuple(source for source, standing in self.standings.items() if not standing.answered)

    def fields(self) -> dict[str, dict[str, Any]]:
        """Every field with its source, the check whose evidence it is, and how old it is."""
        return {
            f"{source}.{name}": {
                "value": value,
                "source": source,
                "check_id": standing.check_id,
                "confirmed_at": standing.confirmed_at,
                "stale": not standing.answered,
            }
            for source, standing in self.standings.items()
            for name, value in standing.fields.items()
        }


def conclude(
    counterparty: Counterparty,
    check_id: UUID,
    results: Sequence[Result],
    before: Mapping[str, Standing],
    now: datetime,
) -> Conclusion:
    """Join what the registers said with what they said before."""
    covering = coverage(counterparty.identity)
    told = {result.source: result for result in results if result.source in covering}
    standings = {
        source: _standing(before.get(source) or Standing(source=source), told.get(source), check_id, now)
        for source in covering
    }
    changed = _changes(before, standings, told)
    findings = judge(View(counterparty.identity, standings, changed))
    known = {(type_, key) for type_, key in counterparty.findings}
    score = min(100, sum(finding.points for finding in findings))
    return Conclusion(
        state=_state(standings),
        risk_score=score,
        risk_level=next(level for least, level in LEVELS if score >= least),
        standings=standings,
        findings=findings,
        changed=changed,
        alerts=[
            finding for finding in findings if finding.alerts and (finding.type, finding.key) not in known
        ],
    )


def _standing(old: Standing, result: Result | None, check_id: UUID, now: datetime) -> Standing:
    """What a register stands for after this check; one that said nothing keeps its last word, marked as old."""
    if result is None:
        if old.confirmed_at is not None or old.unanswered_since is not None:
            return old
        return replace(old, unanswered_since=now, reason="It has not been asked yet.")
    if result.verdict == Verdict.UNVERIFIED:
        return replace(old, unanswered_since=old.unanswered_since or now, reason=result.reason)
    return Standing(
        source=result.source,
        verdict=result.verdict,
        fields=result.fields,
        check_id=check_id,
        confirmed_at=now,
        reason=result.reason,
    )


def _changes(
    before: Mapping[str, Standing], after: Mapping[str, Standing], told: Mapping[str, Result]
) -> Changed:
    """Field by field against the last good answer; the first answer changes nothing."""
    changed: Changed = {}
    for source in told:
        old, new = before.get(source), after[source]
        if old is None or old.confirmed_at is None or not new.answered:
            continue
        for name in sorted({*old.fields, *new.fields}):
            pair = [old.fields.get(name), new.fields.get(name)]
            if pair[0] != pair[1]:
                changed[f"{source}.{name}"] = pair
    return changed


def _state(standings: Mapping[str, Standing]) -> str:
    """A register's last word that it is invalid stays, however old; a silent register only takes certainty away."""
    if any(standing.verdict == Verdict.INVALID for standing in standings.values()):
        return "invalid"
    if not standings or not all(standing.answered for standing in standings.values()):
        return "unverified"
    return "verified"
