"""Pipelines, deals and the board over HTTP, and what comes in by events."""

import asyncio
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Money
from flotilla.events.pipeline import (
    DealCreated,
    DealLost,
    DealMoveFailed,
    DealMoveRequested,
    DealStageChanged,
    PipelineCreated,
    PipelineUpdated,
    StageCreated,
    StageUpdated,
)
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.pipeline.tests.conftest import Json, MakeContact, a_deal, moved, qualified


async def test_an_organization_begins_with_a_pipeline(pipeline: Harness, org: UUID, board: Json) -> None:
    event = await pipeline.spy.expect(PipelineCreated, lambda event: event.org == org)
    assert (str(event.data.pipeline_id), event.data.default) == (board["id"], True)
    await pipeline.spy.expect(StageCreated, lambda event: event.org == org and event.data.kind == "lost")
    stages = pipeline.spy.of(StageCreated, org)
    assert [(each.data.name, each.data.kind) for each in stages][-2:] == [("Won", "won"), ("Lost", "lost")]


async def test_a_qualified_lead_becomes_a_deal(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    who = await contact()
    lead = qualified(who, budget=Money(amount_minor=5_000_00, currency="EUR"))
    cause = Cause.fresh("ai:sales")
    await pipeline.publish(lead, org=org, cause=cause)
    event = await pipeline.spy.expect(DealCreated, lambda event: event.org == org)
    assert (event.data.title, event.data.contact_id, event.data.source) == ("Zoë Groß", who, "lead")
    assert (event.data.value, event.data.probability) == (lead.budget, 10)
    assert str(event.data.stage_id) == board["New"]
    assert event.data.qualification_id == lead.lead_id
    assert event.envelope.correlationid == cause.correlation_id
    assert event.envelope.audience == "org"


async def test_one_person_has_one_open_deal(
    pipeline: Harness, org: UUID, board: Json, contact: MakeContact
) -> None:
    who, other = await contact(), await contact("Ada")
    first = qualified(who)
    await asyncio.gather(
        *(pipeline.publish(lead, org=org) for lead in (first, qualified(who), qualified(who)))
    )
    await pipeline.publish(qualified(other), org=org)
    await pipeline.spy.expect(DealCreated, lambda event: event.org == org and event.data.contact_id == other)
    deals = (await pipeline.client(org).get(f"/v1/deals?contact_id={who}")).json()["items"]
    assert len(deals) == 1
    again = await pipeline.client(org).post("/v1/deals", {"title": "Another", "contact_id": str(who)})
    assert again.status == 409
    await moved(pipeline, org, deals[0], board["Lost"], loss_reason="price")
    assert (await a_deal(pipeline, org, contact_id=str(who)))["state"] == "open"


async def test_a_lead_that_comes_first_waits_for_its_pipeline_and_contact(
    pipeline: Harness, org: UUID
) -> None:
    await pipeline.publish(qualified(new_id()), org=org)

    async def waiting() -> bool:
        rows = await pipeline.app.db.fetch(
            "SELECT state, waiting_for FROM parked_events WHERE organization_id = $1", org
        )
        return [(row["state"], row["waiting_for"]) for row in rows] == [
            ("waiting", f"default_pipeline:{org}")
        ]

    await eventually(waiting, what="the lead waits")
    assert not pipeline.spy.of(DealCreated, org)


async def test_a_deal_moves_and_its_way_is_kept(pipeline: Harness, org: UUID, board: Json) -> None:
    client, deal = pipeline.client(org), await a_deal(pipeline, org)
    path = f"/v1/deals/{deal['id']}"
    answer = await client.post(f"{path}/move", {"stage_id": board["Proposal"], "reason": "She asked"})
    assert (answer.json()["probability"], answer.headers["ETag"]) == (50, '"2"')
    event = await pipeline.spy.expect(DealStageChanged, lambda event: event.org == org)
    assert (str(event.data.from_stage_id), str(event.data.to_stage_id)) == (board["New"], board["Proposal"])
    assert (event.sequence, event.data.reason) == (2, "She asked")
    (move,) = (await client.get(f"{path}/moves")).json()["items"]
    assert (move["actor"], move["reason"]) == (f"user:{client.user_id}", "She asked")
    assert move["seconds_in_stage"] >= 0
    stale = await client.post(f"{path}/move", {"stage_id": board["New"]}, headers={"If-Match": '"1"'})
    assert stale.status == 412


async def test_a_stage_wants_to_know_things_first(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    stage = f"/v1/pipelines/{board['id']}/stages/{board['Proposal']}"
    assert (await client.patch(stage, {"required_fields": ["expected_close_on"]})).status == 200
    deal = await a_deal(pipeline, org)
    refused = await client.post(f"/v1/deals/{deal['id']}/move", {"stage_id": board["Proposal"]})
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/expected_close_on")
    await client.patch(f"/v1/deals/{deal['id']}", {"expected_close_on": "2031-05-01"})
    assert (await moved(pipeline, org, deal, board["Proposal"]))["expected_close_on"] == "2031-05-01"


async def test_a_lost_deal_says_why(pipeline: Harness, org: UUID, board: Json) -> None:
    client, deal = pipeline.client(org), await a_deal(pipeline, org)
    path = f"/v1/deals/{deal['id']}"
    assert (await client.post(f"{path}/move", {"stage_id": board["Lost"]})).status == 422
    lost = await moved(pipeline, org, deal, board["Lost"], loss_reason="competitor")
    assert (lost["state"], lost["loss_reason"], lost["probability"]) == ("lost", "competitor", 0)
    event = await pipeline.spy.expect(DealLost, lambda event: event.org == org)
    assert (event.sequence, event.data.loss_reason) == (3, "competitor")
    assert (await client.patch(path, {"title": "Too late"})).status == 409
    assert (await client.post(f"{path}/move", {"stage_id": board["New"]})).status == 409


async def test_the_board_is_in_the_order_people_gave_it(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    a, b, c = [await a_deal(pipeline, org, title=title) for title in "ABC"]

    async def order() -> list[str]:
        columns = (await client.get(f"/v1/pipelines/{board['id']}/board")).json()["columns"]
        return [deal["title"] for deal in columns[0]["deals"]]

    assert await order() == ["C", "B", "A"]
    await moved(pipeline, org, c, board["New"], after_deal_id=a["id"])
    assert await order() == ["B", "A", "C"]
    await moved(pipeline, org, a, board["New"])
    assert await order() == ["A", "B", "C"]
    await moved(pipeline, org, b, board["Qualified"])
    await moved(pipeline, org, c, board["Qualified"], after_deal_id=b["id"])
    foreign = await client.post(
        f"/v1/deals/{a['id']}/move", {"stage_id": board["Proposal"], "after_deal_id": b["id"]}
    )
    assert foreign.json()["errors"][0]["pointer"] == "/after_deal_id"
    whole = (await client.get(f"/v1/pipelines/{board['id']}/board?limit=1")).json()
    column = whole["columns"][1]
    assert ([deal["title"] for deal in column["deals"]], column["count"]) == (["B"], 2)
    assert column["values"] == [{"amount_minor": 240_000, "currency": "EUR"}]
    more = f"/v1/pipelines/{board['id']}/stages/{column['id']}/deals?cursor={column['next_cursor']}"
    assert [deal["title"] for deal in (await client.get(more)).json()["items"]] == ["C"]


async def test_the_forecast_weighs_open_deals(pipeline: Harness, org: UUID, board: Json) -> None:
    await a_deal(pipeline, org, value={"amount_minor": 1005, "currency": "EUR"})
    own = await a_deal(pipeline, org, value={"amount_minor": 1000, "currency": "USD"}, own_probability=90)
    await a_deal(pipeline, org, title="Nobody knows", value=None)
    lost = await a_deal(pipeline, org)
    await moved(pipeline, org, lost, board["Lost"], loss_reason="other")
    await moved(pipeline, org, own, board["Proposal"])
    path = f"/v1/pipelines/{board['id']}/forecast"
    forecast = (await pipeline.client(org).get(path)).json()
    new, _, proposal, _ = forecast["stages"]
    assert (new["count"], new["weighted"]) == (2, [{"amount_minor": 101, "currency": "EUR"}])
    assert proposal["weighted"] == [{"amount_minor": 900, "currency": "USD"}]
    assert [value["currency"] for value in forecast["values"]] == ["EUR", "USD"]
    nobody = (await pipeline.client(org).get(f"{path}?owner_id={new_id()}")).json()
    assert nobody["values"] == []


async def test_a_rule_has_a_deal_moved(pipeline: Harness, org: UUID, board: Json) -> None:
    deal = await a_deal(pipeline, org)

    async def ask(stage: str, deal_id: str = deal["id"]) -> UUID:
        wish = DealMoveRequested(
            request_id=new_id(), deal_id=UUID(deal_id), stage_id=UUID(stage), reason="No reply for 3 days"
        )
        await pipeline.publish(wish, org=org, cause=Cause.fresh("rule:1"))
        return wish.request_id

    request = await ask(board["Qualified"])
    event = await pipeline.spy.expect(DealStageChanged, lambda event: event.envelope.requestid == request)
    assert (event.envelope.actor, event.data.reason) == ("rule:1", "No reply for 3 days")
    for stage, deal_id, reason in (
        (board["Qualified"], deal["id"], "already_there"),
        (board["Lost"], deal["id"], "loss_reason_missing"),
        (str(new_id()), deal["id"], "not_found"),
        (board["New"], str(new_id()), "not_found"),
    ):
        request = await ask(stage, deal_id)
        failed = await _refused(pipeline, request)
        assert failed.data.reason == reason


async def _refused(pipeline: Harness, request: UUID) -> Received[DealMoveFailed]:
    return await pipeline.spy.expect(DealMoveFailed, lambda event: event.envelope.requestid == request)


async def test_pipelines_are_made_and_changed(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    stages = [
        {"name": "In", "probability": 20},
        {"name": "Out", "kind": "won", "probability": 100},
    ]
    made = await client.post("/v1/pipelines", {"name": "Partners", "stages": stages})
    assert made.status == 201
    path = f"/v1/pipelines/{made.json()['id']}"
    first = made.json()["stages"][0]["id"]
    new = await client.post(f"{path}/stages", {"name": "Before", "probability": 5, "position": 1})
    assert (new.status, new.json()["position"]) == (201, 1)
    read = (await client.get(path)).json()["stages"]
    assert [stage["name"] for stage in read] == ["Before", "In", "Out"]
    event = await pipeline.spy.expect(StageUpdated, lambda event: str(event.data.stage_id) == first)
    assert event.data.changed["position"] == [1, 2]

    deal = await a_deal(pipeline, org, stage_id=first)
    assert (await client.patch(f"{path}/stages/{first}", {"archived": True})).status == 409
    await moved(pipeline, org, deal, new.json()["id"])
    assert (await client.patch(f"{path}/stages/{first}", {"archived": True})).json()["archived"]
    assert (await client.post(f"/v1/deals/{deal['id']}/move", {"stage_id": first})).status == 409

    assert (await client.patch(path, {"is_default": True})).json()["is_default"]
    updated = await pipeline.spy.expect(
        PipelineUpdated, lambda event: event.org == org and not event.data.default
    )
    assert str(updated.data.pipeline_id) == board["id"]


async def test_another_organization_sees_nothing(pipeline: Harness, org: UUID, board: Json) -> None:
    deal = await a_deal(pipeline, org)
    stranger = pipeline.client(new_id())
    for path in (
        f"/v1/pipelines/{board['id']}",
        f"/v1/pipelines/{board['id']}/board",
        f"/v1/pipelines/{board['id']}/forecast",
        f"/v1/pipelines/{board['id']}/stages/{board['New']}/deals",
        f"/v1/deals/{deal['id']}",
        f"/v1/deals/{deal['id']}/moves",
    ):
        assert (await stranger.get(path)).status == 404, path
    assert (await stranger.get("/v1/deals")).json()["items"] == []
    assert (await stranger.get("/v1/pipelines")).json()["items"] == []
    assert (await stranger.post(f"/v1/deals/{deal['id']}/move", {"stage_id": board["Won"]})).status == 404
    viewer = pipeline.client(org, role="viewer")
    assert (await viewer.get(f"/v1/deals/{deal['id']}")).status == 200
    assert (await viewer.post("/v1/deals", {"title": "Mine"})).status == 403


async def test_deals_by_value_page_by_page(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    for title, minor in (("small", 100), ("none", None), ("large", 90_000), ("none too", None)):
        value = None if minor is None else {"amount_minor": minor, "currency": "EUR"}
        assert (await client.post("/v1/deals", {"title": title, "value": value})).status == 201

    async def titles(sort: str) -> list[str]:
        found, path = [], f"/v1/deals?limit=2&sort={sort}"
        page = (await client.get(path)).json()
        while True:
            found += [each["title"] for each in page["items"]]
            if page["next_cursor"] is None:
                return found
            page = (await client.get(f"{path}&cursor={page['next_cursor']}")).json()

    assert await titles("value") == ["none", "none too", "small", "large"]
    assert await titles("-value") == ["large", "small", "none too", "none"]
    assert await titles("-created_at") == ["none too", "large", "none", "small"]
