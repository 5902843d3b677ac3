"""Search over everything the organization may see."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from flotilla.http import CurrentApp, Page, PageQuery, Routes, UnprocessableError, Who
from flotilla.http.pages import Cursor
from flotilla.security.permissions import ALL
from pydantic import BaseModel, Field

from flotilla_analytics.domain.documents import Kind, excerpt
from flotilla_analytics.resources import Resources
from flotilla_analytics.search.base import Hit

routes = Routes("/v1/search", tag="search")

PERMISSIONS: Final = {
    Kind.CONTACT: "contacts:read",
    Kind.COMPANY: "companies:read",
    Kind.MESSAGE: "conversations:read",
}


class Found(BaseModel):
    """Something found."""

    kind: Kind
    id: UUID
    title: str
    excerpt: str = Field(description="The text around the first of the words.")
    conversation_id: UUID | None = Field(description="Of a message.")
    occurred_at: datetime


@routes.get("", permission="search:read", limit="dear")
async def search(
    app: CurrentApp,
    who: Who,
    page: PageQuery,
    q: Annotated[
        str, Query(min_length=1, max_length=200, description="Words; a typo in one does not matter.")
    ],
    kinds: Annotated[str, Query(max_length=100, description="Comma-separated.")] = ",".join(Kind),
) -> Page[Found]:
    """What has all the words, the best first; new things are found after about two seconds.

    Kinds of which the caller's role may not read all are left out: what is found says nothing of whose it is.
    """
    own: Resources = app.own
    allowed = [kind for kind in _kinds(kinds) if who.scope(PERMISSIONS[kind]) == ALL]
    key = page.after(float, UUID)
    after = (key[0], key[1]) if key else None
    hits = await own.search.search(who.org, q, allowed, page.limit + 1, after)
    shown = hits[: page.limit]
    more = len(hits) > len(shown)
    return Page(
        items=[_found(hit, q) for hit in shown],
        next_cursor=Cursor.write(*shown[-1].key) if more else None,
    )


def _kinds(text: str) -> list[Kind]:
    try:
        return [Kind(name) for name in dict.fromkeys(text.split(","))]
    except ValueError:
        known = ", ".join(Kind)
        errors = [{"parameter": "/kinds", "detail": f"comma-separated, of: {known}"}]
        raise UnprocessableError("Name kinds that there are.", errors=errors) from None


def _found(hit: Hit, query: str) -> Found:
    return Found(
        kind=hit.kind,
        id=hit.id,
        title=hit.title,
        excerpt=excerpt(hit.body, query),
        conversation_id=hit.conversation_id,
        occurred_at=hit.occurred_at,
    )
