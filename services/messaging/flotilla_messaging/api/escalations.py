"""Escalations: what waits for a person, asking for one, and saying that it was taken care of."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events.messaging import ConversationUpdated
from flotilla.http import (
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import Order, both
from pydantic import Field, StringConstraints

from flotilla_messaging.api.conversations import NO_CONVERSATION, locked, saved, say
from flotilla_messaging.api.schemas import ConversationOut
from flotilla_messaging.domain.escalations import LONGEST_SUMMARY, Escalation
from flotilla_messaging.escalating import Wanted, escalate
from flotilla_messaging.store import escalations as store

routes = Routes("/v1/escalations", tag="escalations")
conversation = Routes("/v1/conversations/{conversation_id}", tag="escalations")
ORDERS = both("created_at", Order(("c.escalation_id",), (UUID,), key=lambda escalation: (escalation.id,)))

Priority = Literal["low", "normal", "high", "urgent"]


class EscalationIn(Written):
    """Why a person is needed, and how soon."""

    reason: str = Field(default="manual", pattern="^[a-z][a-z0-9_]{0,60}$")
    summary: (
        Annotated[
            str, StringConstraints(strip_whitespace=True, max_length=LONGEST_SUMMARY, pattern="^[^\x00]*$")
        ]
        | None
    ) = None
    priority: Priority = "normal"
    team_id: UUID | None = Field(default=None, description="A team of the organization; null: anybody.")


class EscalationOut(Shown):
    """A conversation that waits for a person."""

    id: UUID
    conversation_id: UUID
    channel: str
    customer_name: str | None
    assignee_id: UUID | None
    reason: str
    summary: str | None
    priority: Priority
    team_id: UUID | None
    escalated_by: str
    created_at: datetime


@routes.get("", permission="conversations:read", reach="rows")
async def list_escalations(
    tx: Tx,
    who: Who,
    query: PageQuery,
    team_id: Annotated[UUID | None, Query()] = None,
    priority: Annotated[Priority | None, Query()] = None,
    sort: ByTime = "created_at",
) -> Page[EscalationOut]:
    """What waits for a person, the longest waiting first; what was handed back or resolved is not in it."""
    order, filters = ORDERS[sort], {"team_id": team_id, "priority": priority}
    rows = await store.queue(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    found = [EscalationOut(**{name: row[name] for name in EscalationOut.model_fields}) for row in rows]
    return query.page(found, sort, order)


@conversation.post("/escalate", permission="conversations:write", reach="rows")
async def escalate_conversation(
    conversation_id: UUID, wanted: EscalationIn, response: Response, work: Work
) -> ConversationOut:
    """Ask for a person. One that waits already stays in its place, and may become more urgent."""
    tx = await work.begin()
    org = work.who.org
    if wanted.team_id is not None and not await store.known_teams(tx, [(org, wanted.team_id)]):
        raise UnprocessableError(
            "Name an active team.", errors=[{"pointer": "/team_id", "detail": "no such team"}]
        )
    await locked(tx, work.who, conversation_id)
    asked = Escalation(
        organization_id=org,
        id=tx.app.new_id(),
        conversation_id=conversation_id,
        escalated_by=work.who.actor,
        created_at=datetime.now(UTC),
        **wanted.model_dump(),
    )
    found = await escalate(tx, [Wanted(asked, replace(work.cause, request_id=None))])
    if conversation_id not in found:
        raise NotFoundError(NO_CONVERSATION)
    return await saved(tx, found[conversation_id], response)


@conversation.post("/hand-back", permission="conversations:write", reach="rows")
async def hand_back_conversation(
    conversation_id: UUID, request: Request, response: Response, work: Work
) -> ConversationOut:
    """It was taken care of: it leaves the queue. One that is not in it stays as it is."""
    tx = await work.begin()
    before = await locked(tx, work.who, conversation_id)
    check_if_match(request, before.sequence)
    after = say(tx, ConversationUpdated, before, before.handed_back())
    set_etag(response, after.sequence)
    return await saved(tx, after, response)
