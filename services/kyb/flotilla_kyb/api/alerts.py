"""/v1/counterparty-alerts."""

from typing import Literal
from uuid import UUID

from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown
from flotilla.http.sorting import ByTime, Several
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row
from pydantic import AwareDatetime

from flotilla_kyb import commands
from flotilla_kyb.api.values import Severity
from flotilla_kyb.store import alerts as store

alerts = Routes("/v1/counterparty-alerts", tag="counterparty alerts")


class AlertOut(Shown):
    """Something new about a counterparty that wants a person's eye."""

    id: UUID
    counterparty_id: UUID
    check_id: UUID
    type: str
    severity: Severity
    detail: str
    state: Literal["open", "acknowledged"]
    raised_at: AwareDatetime
    acknowledged_at: AwareDatetime | None
    acknowledged_by: UUID | None


@alerts.get("", permission="counterparties:read")
async def list_counterparty_alerts(
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Literal["open", "acknowledged"] | None = None,
    severity: Several[Severity] = None,
    counterparty_id: UUID | None = None,
    sort: ByTime = "-created_at",
) -> Page[AlertOut]:
    """The newest first."""
    filters = {"state": state, "severity": severity, "counterparty_id": counterparty_id}
    order = BY_TIME[sort]
    rows = await store.list_alerts(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([_shown(row) for row in rows], sort, order)


@alerts.get("/{alert_id}", permission="counterparties:read")
async def read_counterparty_alert(alert_id: UUID, tx: Tx, who: Who) -> AlertOut:
    """One alert."""
    return _shown(await tx.fetchrow(store.READ, who.org, alert_id))


@alerts.post("/{alert_id}/acknowledge", permission="counterparties:write")
async def acknowledge_counterparty_alert(alert_id: UUID, tx: Tx, who: Who) -> AlertOut:
    """Say that it has been seen to; saying it again changes nothing."""
    return _shown(await commands.acknowledge(tx, who, alert_id))


def _shown(row: Row | None) -> AlertOut:
    if row is None:
        raise NotFoundError("There is no alert with this id.")
    return AlertOut(**dict(row))
