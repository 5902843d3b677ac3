"""Merging contacts and undoing it: /v1/contacts/{contact_id}/merges and /v1/contact-merges."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from pydantic import AwareDatetime, Field

from flotilla_crm import merging
from flotilla_crm.domain.merging import Merge
from flotilla_crm.store import merges as store

of_contact = Routes("/v1/contacts/{contact_id}/merges", tag="contacts")
merges = Routes("/v1/contact-merges", tag="contacts")
Choosable = Literal["name", "email", "phone", "language", "company_id", "owner_id"]


class MergeIn(Written):
    """Which contact becomes part of this one, and what it knew better."""

    contact_id: UUID
    take: Annotated[list[Choosable], Field(max_length=6)] = Field(
        default_factory=list,
        description="Fields in which the other's value shall stand. Empty ones are filled anyway, tags joined.",
    )


class MergeOut(Shown):
    """A merge, and whether it was undone."""

    id: UUID
    winner_id: UUID
    loser_id: UUID
    changed: list[str] = Field(description="Fields of the contact that stayed, which the other one filled.")
    actor: str | None
    merged_at: AwareDatetime
    undone_at: AwareDatetime | None


@of_contact.post("", permission="contacts:write", reach="rows", status_code=201)
async def merge_contacts(contact_id: UUID, body: MergeIn, tx: Tx, who: Who, response: Response) -> MergeOut:
    """Make another contact part of this one: channels, tasks, notes and timeline move; it can be undone."""
    done = await merging.merge(tx, who, contact_id, body.contact_id, body.take)
    response.headers["Location"] = f"/v1/contact-merges/{done.id}"
    return _out(done)


@of_contact.get("", permission="contacts:read", reach="rows")
async def list_merges(
    contact_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[MergeOut]:
    """Merges in which this contact stayed or went, the latest first; those of a merged contact too."""
    order = BY_TIME[sort]
    after = query.place(sort, order)
    found = await store.merges_of(tx, who.org, contact_id, order, after, query.limit + 1)
    if not found:
        await merging.known(tx, who.org, contact_id)
    return query.page([_out(each) for each in found], sort, order)


@merges.get("/{merge_id}", permission="contacts:read", reach="rows")
async def read_merge(merge_id: UUID, tx: Tx, who: Who) -> MergeOut:
    """One merge."""
    found = await store.read_merge(tx, who.org, merge_id)
    if found is None:
        raise NotFoundError("There is no merge with this id.")
    return _out(found)


@merges.post("/{merge_id}/undo", permission="contacts:write", reach="rows")
async def undo_merge(merge_id: UUID, tx: Tx, who: Who) -> MergeOut:
    """Make two contacts of one again; what came or was changed since stays with the one that had stayed."""
    return _out(await merging.unmerge(tx, who, merge_id))


def _out(merge: Merge) -> MergeOut:
    return MergeOut(
        id=merge.id,
        winner_id=merge.winner_id,
        loser_id=merge.loser_id,
        changed=sorted(merge.changed),
        actor=merge.actor,
        merged_at=merge.merged_at,
        undone_at=merge.undone_at,
    )
