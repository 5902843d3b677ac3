"""The audit log: the archive, filtered."""

from typing import Annotated, Literal

from fastapi import Query
from flotilla.http import CurrentApp, Page, PageQuery, Routes, Tx, Who
from flotilla.http.sorting import Sort
from pydantic import AwareDatetime

from flotilla_analytics.api.events import ArchivedEvent, shown
from flotilla_analytics.archiving import Opened, Personal, open_parts
from flotilla_analytics.store import archive

routes = Routes("/v1/archive", tag="archive")

ByMoment = Sort[Literal["-time", "time"]]
Text = Annotated[str | None, Query(min_length=1, max_length=200)]


@routes.get("/events", permission="archive:read")
async def list_archived_events(
    tx: Tx,
    who: Who,
    app: CurrentApp,
    query: PageQuery,
    type_: Annotated[str | None, Query(alias="type", max_length=100, description="The exact type.")] = None,
    subject: Text = None,
    actor: Text = None,
    from_: Annotated[AwareDatetime | None, Query(alias="from", description="Inclusive.")] = None,
    to: Annotated[AwareDatetime | None, Query(description="Exclusive.")] = None,
    sort: ByMoment = "-time",
) -> Page[ArchivedEvent]:
    """The organization's events, newest first, or as `sort` says. Filtered by `actor` it is the audit log."""
    order, wanted = archive.ORDERS[sort], archive.Filter(type_, subject, actor, from_, to)
    after = query.place(sort, order)
    rows = await archive.read_page(tx, who.org, wanted, after, query.limit + 1, order)
    opened = await open_parts(tx, app.keyring, rows[: query.limit])
    # The row beyond the page only says that there is more.
    opened += [Opened({}, Personal.NONE)] * (len(rows) - len(opened))
    events = [shown(row, each) for row, each in zip(rows, opened, strict=True)]
    return query.page(events, sort, order)
