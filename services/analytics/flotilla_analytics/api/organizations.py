"""Numbers of several organizations, side by side: the caller's, and those that let it see theirs."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from flotilla.events.sharing import OrganizationDataRead
from flotilla.http import ForbiddenError, Routes, Who, Work
from flotilla.store.postgres import Row
from pydantic import BaseModel

from flotilla_analytics.api.metrics import Group, check_days, numbers_of
from flotilla_analytics.domain.metrics import Metric
from flotilla_analytics.sharing import PERMISSION
from flotilla_analytics.store import metrics, sharing

routes = Routes("/v1/analytics", tag="analytics")

PATH: Final = "/v1/analytics/organizations"
MOST_ORGANIZATIONS: Final = 200


class OfOrganization(BaseModel):
    """One organization's numbers."""

    organization_id: UUID
    grant_id: UUID | None
    """By which they may be seen; null: the caller's own."""
    numbers: Group


class SideBySide(BaseModel):
    """A metric over some days, of each organization."""

    metric: Metric
    day_from: date
    day_to: date
    organizations: list[OfOrganization]


@routes.get("/organizations", permission=PERMISSION)
async def compare_organizations(
    work: Work,
    who: Who,
    metric: Metric,
    from_: Annotated[date, Query(alias="from", description="The first day (UTC).")],
    to: Annotated[date, Query(description="The day after the last (UTC).")],
) -> SideBySide:
    """A metric of the caller's organization and of those that have granted it `analytics:read`, at most 200.

    Each of those finds in its audit that it was looked at.
    """
    if who.via is not None:
        raise ForbiddenError("What was granted to another organization is not granted on.")
    check_days(from_, to)
    async with work.app.db.transaction(who.org) as tx:
        granted = await sharing.grantors(tx, who.org, MOST_ORGANIZATIONS)
    async with work.app.db.transaction([who.org, *granted], cause=work.cause) as tx:
        question = metrics.Question(metric, from_, to, ())
        found = await sharing.side_by_side(tx, [who.org, *granted], question)
        for grantor, grant_id in granted.items():
            read = OrganizationDataRead(
                read_id=work.app.new_id(),
                grant_id=grant_id,
                grantee_id=who.org,
                user_id=who.user_id,
                permission=PERMISSION,
                path=PATH,
            )
            tx.emit(read, org=grantor, sequence=1)
    shown = [_of(org, granted.get(org), found.get(org), metric) for org in (who.org, *granted)]
    return SideBySide(metric=metric, day_from=from_, day_to=to, organizations=shown)


def _of(org: UUID, grant_id: UUID | None, row: Row | None, metric: Metric) -> OfOrganization:
    numbers = Group(count=0) if row is None else numbers_of(row, metric)
    return OfOrganization(organization_id=org, grant_id=grant_id, numbers=numbers)
