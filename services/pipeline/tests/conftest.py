"""One pipeline on stores of its own for all tests; each test has an organization of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import ContactCreated, LeadCreated
from flotilla.events.pipeline import PipelineRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

Json = dict[str, Any]


@pytest.fixture(scope="session")
async def pipeline(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("pipeline") as harness:
        yield harness


@pytest.fixture
async def board(pipeline: Harness, org: UUID) -> Json:
    """The default pipeline of the test's organization, with its stages by name."""
    await pipeline.publish(PipelineRequested(request_id=new_id()), org=org)
    client = pipeline.client(org)

    async def made() -> Any:
        return (await client.get("/v1/pipelines")).json()["items"]

    (found,) = await eventually(made, what="the default pipeline")
    whole: Json = (await client.get(f"/v1/pipelines/{found['id']}")).json()
    return {"id": whole["id"], **{stage["name"]: stage["id"] for stage in whole["stages"]}}


MakeContact = Callable[..., Awaitable[UUID]]


@pytest.fixture
def contact(pipeline: Harness, org: UUID) -> MakeContact:
    """Makes a contact known to pipeline: its id."""

    async def make(name: str | None = "Zoë Groß") -> UUID:
        created = ContactCreated(
            contact_id=new_id(),
            name=name,
            email=None,
            phone=None,
            language=None,
            company_id=None,
            owner_id=None,
            tags=[],
            source="manual",
        )
        await pipeline.publish(created, org=org, sequence=1)

        async def known() -> bool:
            async with pipeline.app.db.transaction(org) as tx:
                sql = "SELECT count(*) FROM contacts WHERE id = $1"
                return bool(await tx.fetchval(sql, created.contact_id))

        await eventually(known, what="the contact is known")
        return created.contact_id

    return make


def qualified(contact_id: UUID, **fields: Any) -> LeadCreated:
    """What crm says of somebody who may well buy."""
    given: Json = {
        "lead_id": new_id(),
        "conversation_id": new_id(),
        "identity_id": new_id(),
        "contact_id": contact_id,
        "name": None,
        "company_id": None,
        "score": 80,
        "confidence": 0.7,
        "budget": None,
        "qualified_at": datetime.now(UTC),
    }
    return LeadCreated(**given | fields)


async def a_deal(harness: Harness, org: UUID, **fields: Any) -> Json:
    """A deal made by hand, worth 1,200 EUR."""
    body = {"title": "200 mugs", "value": {"amount_minor": 120_000, "currency": "EUR"}, **fields}
    made = await harness.client(org).post("/v1/deals", body)
    assert made.status == 201, made.json()
    deal: Json = made.json()
    return deal


async def moved(harness: Harness, org: UUID, deal: Json, stage: str, **fields: Any) -> Json:
    """The deal in another stage."""
    answer = await harness.client(org).post(f"/v1/deals/{deal['id']}/move", {"stage_id": stage, **fields})
    assert answer.status == 200, answer.json()
    after: Json = answer.json()
    return after
