"""Policies over HTTP: what an organization does not want said, and the log of what was not let through."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTime, ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Row, Transaction
from pydantic import AfterValidator, Field, StringConstraints

from flotilla_ai.library import announce
from flotilla_ai.store import policies as store

policies = Routes("/v1/ai/policies", tag="ai policies")
violations = Routes("/v1/ai/violations", tag="ai policies")
ORDERS = {**BY_TIME, **BY_NAME}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


def _phrase(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("has no word in it")
    return _printable(text)


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(_printable),
]
Phrase = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=2, max_length=100), AfterValidator(_phrase)
]
Phrases = Annotated[
    list[Phrase],
    Field(
        min_length=1,
        max_length=100,
        description="Whole words, whatever their case.",
        examples=[["best price"]],
    ),
]
Action = Literal["refuse", "mask", "flag"]


class PolicyIn(Written):
    """Phrases, and what is done with a draft that has one."""

    name: Name
    phrases: Phrases
    action: Action = Field(
        default="refuse",
        description="`refuse`: no draft; `mask`: without the words; `flag`: as it is, and it is logged.",
    )
    enabled: bool = True


class PolicyPatch(Patch):
    """What shall be different; a field that is left out stays."""

    name: Name = ""
    phrases: Phrases = Field(default_factory=list)
    action: Action = "refuse"
    enabled: bool = True


class PolicyOut(Shown):
    """A policy."""

    id: UUID
    name: str
    phrases: list[str]
    action: Action
    enabled: bool
    updated_at: datetime
    updated_by: str


class ViolationOut(Shown):
    """Something that was not let through as it was."""

    id: UUID
    rule: str
    policy_id: UUID | None
    action: Literal["refused", "masked", "flagged"]
    conversation_id: UUID
    message_id: UUID | None
    draft_id: UUID
    places: list[tuple[int, int]] = Field(description="Where in the draft as it was made.")
    created_at: datetime


@policies.get("", permission="ai:configure")
async def list_ai_policies(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "created_at"
) -> Page[PolicyOut]:
    """The oldest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([PolicyOut.model_validate(dict(row)) for row in rows], sort, order)


@policies.post("", permission="ai:configure", status_code=201, audited="values")
async def create_ai_policy(body: PolicyIn, tx: Tx, who: Who, response: Response) -> PolicyOut:
    """From the next draft on."""
    if await tx.fetchval(store.COUNT, who.org) >= store.MOST:
        raise ConflictError(f"An organization has at most {store.MOST} policies.")
    row = await store.write(tx, who.org, tx.app.new_id(), body.model_dump(), who.actor, new=True)
    await announce(tx, who.org)
    response.headers["Location"] = f"/v1/ai/policies/{row['id']}"
    return _shown(row, response)


@policies.get("/{policy_id}", permission="ai:configure")
async def read_ai_policy(policy_id: UUID, tx: Tx, who: Who, response: Response) -> PolicyOut:
    """One; its ETag guards changes."""
    return _shown(await _there(tx, who.org, policy_id), response)


@policies.patch("/{policy_id}", permission="ai:configure")
async def change_ai_policy(
    policy_id: UUID, body: PolicyPatch, tx: Tx, who: Who, request: Request, response: Response
) -> PolicyOut:
    """From the next draft on."""
    before = await _there(tx, who.org, policy_id, lock=True)
    check_if_match(request, before["sequence"])
    wanted: dict[str, Any] = {name: before[name] for name in ("name", "phrases", "action", "enabled")}
    row = await store.write(
        tx, who.org, policy_id, wanted | body.model_dump(exclude_unset=True), who.actor, new=False
    )
    await announce(tx, who.org)
    shown = _shown(row, response)
    note_change(PolicyOut.model_validate(dict(before)), shown)
    return shown


@policies.delete("/{policy_id}", permission="ai:configure", status_code=204)
async def delete_ai_policy(policy_id: UUID, tx: Tx, who: Who, request: Request) -> None:
    """It holds no more; what went against it stays in the log."""
    before = await _there(tx, who.org, policy_id, lock=True)
    check_if_match(request, before["sequence"])
    await tx.execute(store.REMOVE, who.org, policy_id)
    note_change(PolicyOut.model_validate(dict(before)), None)
    await announce(tx, who.org)


@violations.get("", permission="ai:configure")
async def list_violations(
    tx: Tx,
    who: Who,
    query: PageQuery,
    conversation_id: Annotated[UUID | None, Query()] = None,
    sort: ByTime = "-created_at",
) -> Page[ViolationOut]:
    """The newest first, or as `sort` says."""
    order, filters = BY_TIME[sort], {"conversation_id": conversation_id}
    rows = await store.violations(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([ViolationOut.model_validate(dict(row)) for row in rows], sort, order)


async def _there(tx: Transaction, org: UUID, policy_id: UUID, *, lock: bool = False) -> Row:
    row = await store.read(tx, org, policy_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no policy with this id.")
    return row


def _shown(row: Row, response: Response) -> PolicyOut:
    set_etag(response, row["sequence"])
    return PolicyOut.model_validate(dict(row))
