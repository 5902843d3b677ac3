"""The deal-won saga on real servers; the test answers as billing and crm would."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Event, Money
from flotilla.events.billing import (
    InvoiceFailed,
    InvoiceIssued,
    InvoiceLine,
    InvoiceRequested,
    InvoiceVoided,
    InvoiceVoidFailed,
    InvoiceVoidRequested,
)
from flotilla.events.crm import TaskCreated, TaskFailed, TaskRequested
from flotilla.events.pipeline import DealClosed, DealStageChanged, DealWon
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.children import child
from services.pipeline.tests.conftest import Json, a_deal, moved

LATER = "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'deal_won_saga'"


def issued(wish: InvoiceRequested) -> InvoiceIssued:
    """As billing answers."""
    (line,) = wish.lines or []
    none = Money(amount_minor=0, currency=wish.currency)
    today = datetime.now(UTC).date()
    return InvoiceIssued(
        invoice_id=wish.request_id,
        number="2026-0001",
        state="issued",
        request_id=wish.request_id,
        contact_id=wish.contact_id,
        company_id=wish.company_id,
        deal_id=wish.deal_id,
        lines=wish.lines,
        net=line.unit_price,
        tax=none,
        total=line.unit_price,
        paid=none,
        issued_on=today,
        due_on=today + timedelta(days=14),
    )


def created(wish: TaskRequested) -> TaskCreated:
    """As crm answers."""
    return TaskCreated(
        task_id=wish.request_id,
        title=wish.title,
        state="open",
        assignee_id=wish.assignee_id,
        due_at=wish.due_at,
        contact_id=wish.contact_id,
        company_id=wish.company_id,
        conversation_id=wish.conversation_id,
        completed_at=None,
    )


def voided(wish: InvoiceVoidRequested) -> InvoiceVoided:
    """As billing answers."""
    return InvoiceVoided(
        invoice_id=wish.cancels, number="2026-0001", request_id=wish.request_id, reason=wish.reason
    )


async def answer(harness: Harness, wish: Received[Any], fact: Event) -> None:
    """The fact that answers a wish, carrying its request."""
    await harness.publish(fact, org=wish.org, cause=wish.cause)


async def heard(harness: Harness, org: UUID, type_: type[Event]) -> Received[Any]:
    return await harness.spy.expect(type_, lambda event: event.org == org)


async def the_saga(harness: Harness, org: UUID, deal: Json) -> Json:
    (saga,) = (await harness.client(org).get(f"/v1/sagas/pipeline?subject_id={deal['id']}")).json()["items"]
    found: Json = saga
    return found


async def saga_becomes(harness: Harness, org: UUID, deal: Json, state: str) -> Json:
    async def become() -> Json | None:
        saga = await the_saga(harness, org, deal)
        return saga if saga["state"] == state else None

    found = await eventually(become, what=f"the saga is {state}")
    assert found is not None
    return found


@pytest.fixture
async def won(pipeline: Harness, org: UUID, board: Json) -> Json:
    """A deal that has just been won from Negotiation."""
    deal = await a_deal(pipeline, org)
    deal = await moved(pipeline, org, deal, board["Negotiation"])
    return await moved(pipeline, org, deal, board["Won"])


async def test_a_won_deal_is_invoiced_delivered_and_closed(pipeline: Harness, org: UUID, won: Json) -> None:
    assert won["state"] == "won"
    said = await heard(pipeline, org, DealWon)
    invoice = await heard(pipeline, org, InvoiceRequested)
    assert invoice.envelope.source == "/flotilla/pipeline"
    assert invoice.envelope.requestid == invoice.data.request_id
    assert invoice.data.lines[0].unit_price == Money(amount_minor=120_000, currency="EUR")
    await answer(pipeline, invoice, issued(invoice.data))
    task = await heard(pipeline, org, TaskRequested)
    assert task.data.title == "Deliver: 200 mugs"
    await answer(pipeline, task, created(task.data))
    closed = await heard(pipeline, org, DealClosed)
    assert (closed.data.saga_id, closed.data.state) == (said.data.saga_id, "closed")
    assert closed.envelope.correlationid == said.envelope.correlationid
    saga = await the_saga(pipeline, org, won)
    assert (saga["id"], saga["state"]) == (str(said.data.saga_id), "done")
    assert [(step["name"], step["state"]) for step in saga["steps"]] == [
        ("invoice", "done"),
        ("delivery", "done"),
    ]


async def test_a_failing_invoice_puts_the_deal_back_with_the_reason(
    pipeline: Harness, org: UUID, board: Json, won: Json
) -> None:
    invoice = await heard(pipeline, org, InvoiceRequested)
    failed = InvoiceFailed(request_id=invoice.data.request_id, deal_id=None, reason="No tax id is set")
    await answer(pipeline, invoice, failed)
    back = await pipeline.spy.expect(
        DealStageChanged,
        lambda event: event.org == org and event.data.changed.get("state") == ["won", "open"],
    )
    assert (str(back.data.to_stage_id), back.data.reason) == (
        board["Negotiation"],
        "invoice: No tax id is set",
    )
    client = pipeline.client(org)
    deal = (await client.get(f"/v1/deals/{won['id']}")).json()
    assert (deal["state"], deal["stage_id"], deal["ended_at"]) == ("open", board["Negotiation"], None)
    latest = (await client.get(f"/v1/deals/{won['id']}/moves")).json()["items"][0]
    assert (latest["actor"], latest["reason"]) == ("service:pipeline", "invoice: No tax id is set")
    again = await moved(pipeline, org, deal, board["Won"])
    assert again["state"] == "won"


async def _until_void(pipeline: Harness, org: UUID) -> Received[Any]:
    """The invoice is issued, the delivery is refused: the undo that follows."""
    invoice = await heard(pipeline, org, InvoiceRequested)
    await answer(pipeline, invoice, issued(invoice.data))
    task = await heard(pipeline, org, TaskRequested)
    await answer(pipeline, task, TaskFailed(request_id=task.data.request_id, reason="unknown_assignee"))
    void = await heard(pipeline, org, InvoiceVoidRequested)
    assert void.data.cancels == invoice.data.request_id
    return void


async def test_a_failing_delivery_voids_the_invoice(pipeline: Harness, org: UUID, won: Json) -> None:
    void = await _until_void(pipeline, org)
    assert (await pipeline.client(org).get(f"/v1/deals/{won['id']}")).json()["state"] == "won"
    await answer(pipeline, void, voided(void.data))
    saga = await saga_becomes(pipeline, org, won, "undone")
    assert [step["state"] for step in saga["steps"]] == ["undone", "failed"]
    assert saga["reason"] == "delivery: unknown_assignee"
    assert (await pipeline.client(org).get(f"/v1/deals/{won['id']}")).json()["state"] == "open"


@pytest.mark.parametrize("way", ["retry", "leave"])
async def test_an_undo_that_is_refused_waits_for_a_person(
    pipeline: Harness, org: UUID, won: Json, way: str
) -> None:
    void = await _until_void(pipeline, org)
    refused = InvoiceVoidFailed(
        request_id=void.data.request_id, cancels=void.data.cancels, reason="It is paid"
    )
    await answer(pipeline, void, refused)
    saga = await saga_becomes(pipeline, org, won, "stuck")
    assert saga["steps"][0]["reason"] == "undo: It is paid"
    path = f"/v1/sagas/pipeline/{saga['id']}/{way}"
    assert (await pipeline.client(org, role="team_member").post(path)).status == 403
    assert (await pipeline.client(new_id()).post(path)).status == 404
    decided = (await pipeline.client(org).post(path)).json()
    if way == "leave":
        assert (decided["state"], decided["steps"][0]["state"]) == ("undone", "kept")
    else:
        assert decided["state"] == "compensating"
        await answer(pipeline, void, voided(void.data))
        await saga_becomes(pipeline, org, won, "undone")
    assert (await pipeline.client(org).post(path)).status == 409


async def test_a_success_that_comes_late_is_undone(pipeline: Harness, org: UUID, won: Json) -> None:
    invoice = await heard(pipeline, org, InvoiceRequested)
    await pipeline.app.db.execute(LATER, org)
    void = await heard(pipeline, org, InvoiceVoidRequested)
    assert void.data.cancels == invoice.data.request_id
    await answer(pipeline, invoice, issued(invoice.data))

    async def asked_again() -> bool:
        return len(pipeline.spy.of(InvoiceVoidRequested, org)) == 2

    await eventually(asked_again, what="the undo is asked for again")
    await answer(pipeline, void, voided(void.data))
    saga = await saga_becomes(pipeline, org, won, "undone")
    assert (saga["steps"][0]["late"], saga["steps"][0]["state"]) == (True, "undone")
    assert saga["reason"] == "invoice: no answer in time"
    assert not pipeline.spy.of(TaskRequested, org)
    assert not pipeline.spy.of(DealClosed, org)


async def test_facts_that_come_twice_and_of_others_change_nothing(
    pipeline: Harness, org: UUID, won: Json
) -> None:
    invoice = await heard(pipeline, org, InvoiceRequested)
    stranger = replace(invoice.cause, request_id=new_id())
    await pipeline.publish(issued(invoice.data), org=org, cause=stranger)
    await pipeline.publish(issued(invoice.data), org=new_id(), cause=invoice.cause)
    await pipeline.publish(issued(invoice.data), org=org, cause=Cause.fresh("user:1"))
    await asyncio.gather(*(answer(pipeline, invoice, issued(invoice.data)) for _ in range(3)))
    task = await heard(pipeline, org, TaskRequested)
    await asyncio.gather(*(answer(pipeline, task, created(task.data)) for _ in range(3)))
    await saga_becomes(pipeline, org, won, "done")
    await heard(pipeline, org, DealClosed)
    assert len(pipeline.spy.of(TaskRequested, org)) == len(pipeline.spy.of(DealClosed, org)) == 1
    assert not await pipeline.app.db.fetch("SELECT FROM parked_events WHERE organization_id = $1", org)


async def test_two_replicas_carry_it_on_once(
    pipeline: Harness, start_service: StartService, org: UUID, board: Json
) -> None:
    async with start_service("pipeline", instance=pipeline.instance):
        for number in range(5):
            deal = await a_deal(pipeline, org, title=str(number))
            await moved(pipeline, org, deal, board["Won"])

        async def all_of(type_: type[Event], count: int) -> list[Received[Any]]:
            async def seen() -> list[Received[Any]] | None:
                found = pipeline.spy.of(type_, org)
                return found if len(found) >= count else None

            found = await eventually(seen, what=f"{count} {type_.__name__}")
            assert found is not None
            return found

        for invoice in await all_of(InvoiceRequested, 5):
            await asyncio.gather(*(answer(pipeline, invoice, issued(invoice.data)) for _ in range(2)))
        await pipeline.app.db.execute(LATER, org)
        for task in await all_of(TaskRequested, 5):
            await answer(pipeline, task, created(task.data))

        async def ended() -> list[str] | None:
            sagas = (await pipeline.client(org).get("/v1/sagas/pipeline")).json()["items"]
            states = [saga["state"] for saga in sagas]
            return None if "running" in states else states

        # Some were answered in time, some not: each goes one way, and only those that were are closed.
        states = await eventually(ended, what="each saga goes one way")
        assert states is not None
        await all_of(DealClosed, states.count("done"))
    assert len(pipeline.spy.of(DealClosed, org)) == states.count("done")
    requests = [event.data.request_id for event in pipeline.spy.of(TaskRequested, org)]
    assert len(requests) == len(set(requests)) == 5


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """Stores of this test's own: nobody else carries its sagas on."""
    async with isolated(load("pipeline"), worker) as instance:
        yield instance


async def test_a_saga_goes_on_where_a_dead_process_left_it(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    """The process dies with its answer committed and not acknowledged; the next one takes up the rest, once."""
    async with start_service("pipeline", instance=stores, lanes_paused=True) as keeper:
        client = keeper.client(org)
        stages = [{"name": "In", "probability": 20}, {"name": "Won", "kind": "won", "probability": 100}]
        made = (await client.post("/v1/pipelines", {"name": "Sales", "stages": stages})).json()
        deal = await a_deal(keeper, org, stage_id=made["stages"][0]["id"])
        await moved(keeper, org, deal, made["stages"][1]["id"])
        (request,) = [step["request_id"] for step in (await the_saga(keeper, org, deal))["steps"]][:1]
        wish = InvoiceRequested(
            request_id=UUID(request),
            contact_id=None,
            company_id=None,
            deal_id=UUID(deal["id"]),
            currency="EUR",
            lines=[
                InvoiceLine(
                    description="Mugs", quantity="1", unit_price=Money(amount_minor=1, currency="EUR")
                )
            ],
        )
        async with child(stores, "flotilla_pipeline.service", "handled", service="pipeline") as victim:
            await keeper.publish(issued(wish), org=org, cause=Cause(new_id(), request_id=wish.request_id))
            assert await victim.died() == -signal.SIGKILL
        assert (await the_saga(keeper, org, deal))["steps"][0]["state"] == "done"
        async with start_service("pipeline", instance=stores) as survivor:
            task = await survivor.spy.expect(TaskRequested, lambda event: event.org == org, seconds=40)
            await answer(survivor, task, created(task.data))
            await heard(survivor, org, DealClosed)
            requests = {event.data.request_id for event in survivor.spy.of(TaskRequested, org)}
            assert requests == {task.data.request_id}
