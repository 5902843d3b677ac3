"""A page of a timeline, for contacts and companies alike."""

from uuid import UUID

from flotilla.http import Page
from flotilla.http.bodies import Shown
from flotilla.http.pages import _PageQuery, page
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime

from flotilla_crm.api.values import LAST_ID, moment_key
from flotilla_crm.domain.timeline import Kind
from flotilla_crm.store import timeline as store


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
    tx: Transaction, sql: str, org: UUID, whose: UUID, query: _PageQuery
) -> Page[EntryOut]:
    """Entries, the latest first."""
    at, id_ = moment_key(query) or (None, LAST_ID)
    rows = await store.read(tx, sql, org, whose, (at, id_), query.limit + 1)
    entries = [EntryOut(**dict(row)) for row in rows]
    return page(entries, query.limit, key=lambda entry: (entry.at, entry.id))
