"""/v1/contacts/duplicates: contacts that may be one person, with what speaks for it."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from flotilla.http import Cursor, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown

from flotilla_crm.api.contacts import ContactOut, there
from flotilla_crm.api.values import FIRST_ID
from flotilla_crm.domain.duplicates import MIN_SCORE, Duplicate
from flotilla_crm.store import duplicates as store

duplicates = Routes("/v1/contacts/duplicates", tag="contacts")
STEP = 200
STEPS = 10
"""A page looks at so many contacts, so many at a time."""


class ReasonOut(Shown):
    """Something that speaks for it or against it."""

    reason: str
    weight: float


class DuplicateOut(Shown):
    """Two contacts that may be one person."""

    one: ContactOut
    other: ContactOut
    score: float
    reasons: list[ReasonOut]


@duplicates.get("", permission="contacts:read")
async def list_duplicates(
    tx: Tx,
    who: Who,
    query: PageQuery,
    contact_id: Annotated[UUID | None, Query(description="Only those of this contact, on one page.")] = None,
    min_score: Annotated[float, Query(ge=0, le=1)] = MIN_SCORE,
) -> Page[DuplicateOut]:
    """Pairs in the order in which the first of the two was made, the only one: they are found on the way.

    A page ends with `limit` pairs or after some 2,000 contacts: it may be empty and have a `next_cursor`.
    """
    if contact_id is not None:
        await there(tx, who.org, contact_id)
        found = await store.among(tx, who.org, [contact_id], after_own=False)
        likeliest = sorted(_likely(found, min_score), key=lambda each: -each.score)
        return Page(items=[DuplicateOut.model_validate(each) for each in likeliest])
    (after,) = query.after(UUID) or (FIRST_ID,)
    pairs: list[Duplicate] = []
    for _ in range(STEPS):
        subjects = await store.next_contacts(tx, who.org, after, STEP)
        if not subjects:
            return _page(pairs, None)
        pairs += _likely(await store.among(tx, who.org, subjects), min_score)
        after = subjects[-1]
        if len(pairs) >= query.limit:
            return _page(*_cut(pairs, query.limit, after))
    return _page(pairs, after)


def _likely(found: list[Duplicate], min_score: float) -> list[Duplicate]:
    return [each for each in found if each.score >= min_score]


def _cut(pairs: list[Duplicate], limit: int, looked_at: UUID) -> tuple[list[Duplicate], UUID]:
    """A page ends between two contacts: with all pairs of its last one, few over the limit."""
    if len(pairs) == limit:
        return pairs, looked_at
    last = pairs[limit - 1].one.id
    return [each for each in pairs if each.one.id <= last], last


def _page(pairs: list[Duplicate], after: UUID | None) -> Page[DuplicateOut]:
    cursor = None if after is None else Cursor.write(after)
    return Page(items=[DuplicateOut.model_validate(each) for each in pairs], next_cursor=cursor)
