"""The audit log: the archive, filtered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from flotilla.http import CurrentApp, Page, PageQuery, Routes, Tx, Who
from flotilla.http.pages import page
from pydantic import AwareDatetime

from flotilla_analytics.api.events import ArchivedEvent, shown
from flotilla_analytics.archiving import Opened, Personal, open_parts
from flotilla_analytics.store import archive

routes = Routes("/v1/archive", tag="archive")

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
) -> Page[ArchivedEvent]:
    """The organization's events, newest first. Filtered by `actor` it is the audit log."""
    key = query.after(datetime, UUID)
    after = (key[0], key[1]) if key else None
    wanted = archive.Filter(type_, subject, actor, from_, to)
    rows = await archive.read_page(tx, who.org, wanted, after, query.limit + 1)
    opened = await open_parts(tx, app.keyring, rows[: query.limit])
    # The row beyond the page only says that there is more.
    opened += [Opened({}, Personal.NONE)] * (len(rows) - len(opened))
    events = [shown(row, each) for row, each in zip(rows, opened, strict=True)]
    return page(events, query.limit, key=lambda event: (event.time, event.id))
