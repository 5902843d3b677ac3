"""A page of a timeline, for contacts and companies alike."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from flotilla.http import Page
from flotilla.http.bodies import Shown
from flotilla.http.pages import _PageQuery
from flotilla.http.sorting import Sort
from flotilla.store.order import Order, both
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime

from flotilla_crm.domain.timeline import Kind
from flotilla_crm.store import timeline as store

ORDERS: Final = both("at", Order(("at", "id"), (datetime, UUID)))
Named = Literal["-at", "at"]
ByMoment = Sort[Named]
"""With the orders that `timeline_page` has."""


class EntryOut(Shown):
    """Something that happened. What `reference_id` names follows from `kind`; its owner has the text."""

    id: UUID
    kind: Kind
    at: AwareDatetime
    reference_id: UUID
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None
    actor: str | None


async def timeline_page(
    tx: Transaction, org: UUID, whose: dict[str, UUID], query: _PageQuery, sort: Named
) -> Page[EntryOut]:
    """Entries of `contact_id` or `company_id`."""
    order = ORDERS[sort]
    rows = await store.read(tx, org, whose, order, query.place(sort, order), query.limit + 1)
    return query.page([EntryOut(**dict(row)) for row in rows], sort, order)
