"""deal won: the invoice is issued and somebody is told to deliver; or neither, and the deal goes back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.events.base import Money
from flotilla.events.billing import (
    InvoiceFailed,
    InvoiceIssued,
    InvoiceLine,
    InvoiceRequested,
    InvoiceVoided,
    InvoiceVoidFailed,
    InvoiceVoidRequested,
)
from flotilla.events.crm import (
    TaskCreated,
    TaskDeleted,
    TaskDeleteFailed,
    TaskDeleteRequested,
    TaskFailed,
    TaskRequested,
)
from flotilla.sagas import End, SagaKind, Step, Undo
from flotilla.sagas.store import now
from flotilla.store.postgres import Transaction

from flotilla_pipeline.domain.deals import Deal
from flotilla_pipeline.store import deals

AUDIENCE: Final = "org"
DELIVER_WITHIN: Final = timedelta(days=3)


class WonDeal(msgspec.Struct, frozen=True, kw_only=True):
    """What the saga knows of the deal as it was won, and where it goes back to."""

    deal_id: UUID
    title: str
    value: Money
    customer_name: str | None = None
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None
    owner_id: UUID | None
    won_at: datetime
    from_stage_id: UUID
    from_rank: str


def won_context(deal: Deal, before: Deal, customer_name: str | None) -> WonDeal:
    """What is to be known of a deal that has just been won."""
    assert deal.value is not None
    assert deal.ended_at is not None
    return WonDeal(
        deal_id=deal.id,
        title=deal.title,
        value=deal.value,
        customer_name=customer_name,
        contact_id=deal.contact_id,
        company_id=deal.company_id,
        conversation_id=deal.conversation_id,
        owner_id=deal.owner_id,
        won_at=deal.ended_at,
        from_stage_id=before.stage_id,
        from_rank=before.rank,
    )


def _invoice(deal: WonDeal, request_id: UUID) -> InvoiceRequested:
    line = InvoiceLine(description=deal.title, quantity="1", unit_price=deal.value)
    return InvoiceRequested(
        request_id=request_id,
        contact_id=deal.contact_id,
        company_id=deal.company_id,
        deal_id=deal.deal_id,
        currency=deal.value.currency,
        lines=[line],
        customer_name=deal.customer_name,
    )


def _void(_: WonDeal, request_id: UUID, cancels: UUID, reason: str) -> InvoiceVoidRequested:
    return InvoiceVoidRequested(request_id=request_id, cancels=cancels, reason=reason)


def _delivery(deal: WonDeal, request_id: UUID) -> TaskRequested:
    return TaskRequested(
        request_id=request_id,
        title=f"Deliver: {deal.title}",
        assignee_id=deal.owner_id,
        due_at=deal.won_at + DELIVER_WITHIN,
        contact_id=deal.contact_id,
        company_id=deal.company_id,
        conversation_id=deal.conversation_id,
    )


def _delete(_: WonDeal, request_id: UUID, cancels: UUID, reason: str) -> TaskDeleteRequested:
    return TaskDeleteRequested(request_id=request_id, cancels=cancels, reason=reason)


async def _close(tx: Transaction, end: End[WonDeal]) -> None:
    deal = await deals.read_deal(tx, end.org, end.context.deal_id, lock=True)
    assert deal is not None
    closed = await deals.save_deal(tx, end.org, replace(deal, state="closed"))
    tx.emit(
        closed.closed(end.saga.id), org=end.org, sequence=closed.sequence, cause=end.cause, audience=AUDIENCE
    )


async def _put_back(tx: Transaction, end: End[WonDeal]) -> None:
    """To the stage it came from, at its old place, with the reason for all to read."""
    deal = await deals.read_deal(tx, end.org, end.context.deal_id, lock=True)
    assert deal is not None
    back = replace(
        deal,
        state="open",
        stage_id=end.context.from_stage_id,
        rank=end.context.from_rank,
        entered_stage_at=await now(tx),
        ended_at=None,
    )
    saved = await deals.save_deal(tx, end.org, back)
    moved = saved.moved(deal, end.saga.reason)
    await deals.add_move(
        tx,
        end.org,
        deal,
        saved,
        actor="service:pipeline",
        reason=end.saga.reason,
        seconds=moved.seconds_in_stage,
    )
    cause = replace(end.cause, actor="service:pipeline")
    tx.emit(moved, org=end.org, sequence=saved.sequence, cause=cause, audience=AUDIENCE)


deal_won: Final = SagaKind(
    "deal_won",
    context=WonDeal,
    steps=(
        Step(
            "invoice",
            wish=_invoice,
            granted=InvoiceIssued,
            refused=InvoiceFailed,
            undo=Undo(wish=_void, granted=InvoiceVoided, refused=InvoiceVoidFailed),
        ),
        Step(
            "delivery",
            wish=_delivery,
            granted=TaskCreated,
            refused=TaskFailed,
            undo=Undo(wish=_delete, granted=TaskDeleted, refused=TaskDeleteFailed),
        ),
    ),
    done=_close,
    undone=_put_back,
)
