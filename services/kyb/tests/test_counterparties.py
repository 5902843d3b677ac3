"""Counterparties over HTTP: made, read, listed, changed; numbers that cannot be right; other organizations."""

from typing import Any
from uuid import UUID

from flotilla.events.kyb import CounterpartyChanged, CounterpartyChecked, CounterpartyCreated
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.simulators.vies import ViesSimulator

from services.kyb.tests.conftest import Make, any_lei, checked, german_number


async def test_a_counterparty_is_made_read_and_changed(kyb: Harness, org: UUID, vies: ViesSimulator) -> None:
    client, number = kyb.client(org), german_number()
    vies.register("DE", number, "Ink & Paper GmbH")
    made = await client.post(
        "/v1/counterparties", {"name": " Ink &  Paper GmbH", "country": "de", "vat_number": number}
    )
    assert made.status == 201
    body = made.json()
    assert (body["name"], body["country"], body["vat_number"]) == ("Ink & Paper GmbH", "DE", f"DE{number}")
    assert (body["state"], body["checked_at"], body["monitoring"]) == ("unchecked", None, "none")
    created = await kyb.spy.expect(CounterpartyCreated, lambda event: event.org == org)
    assert (created.sequence, created.envelope.audience) == (1, "org")

    first = await checked(kyb, body["id"])
    assert (first.state, first.risk_score) == ("verified", 0)
    path = f"/v1/counterparties/{body['id']}"
    read = await client.get(path)
    assert (read.json()["state"], read.headers["ETag"]) == ("verified", '"3"')

    late = await client.patch(path, {"name": "Steel"}, headers={"If-Match": '"1"'})
    assert late.status == 412
    changed = await client.patch(path, {"name": "Steel & Stone"}, headers={"If-Match": '"3"'})
    assert (changed.status, changed.json()["name"]) == (200, "Steel & Stone")
    second = await checked(kyb, body["id"], 2)
    assert [reason.type for reason in second.reasons] == ["name_mismatch"]
    sequences = [event.sequence for event in kyb.spy.of(CounterpartyChanged, org)]
    assert sequences == sorted(set(sequences))
    same = await client.patch(path, {"name": "Steel & Stone"})
    assert len(kyb.spy.of(CounterpartyChanged, org)) == len(sequences), same.body


async def test_numbers_that_cannot_be_right_are_pointed_at(kyb: Harness, org: UUID) -> None:
    client = kyb.client(org)
    body = {"name": "Ink", "country": "DE", "vat_number": "DE136695978", "lei": "HWUPKR0MPOU8FGXBT395"}
    answer = await client.post("/v1/counterparties", body)
    assert answer.status == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/vat_number", "/lei"}
    for wrong, pointer in (
        ({"name": "Ink", "country": "Germany"}, "/country"),
        ({"name": "", "country": "DE"}, "/name"),
        ({"name": "I\u0000nk", "country": "DE", "lei": "\u0000"}, "/lei"),
        ({"name": "I\u0000nk", "country": "DE", "registry_number": "1\u00002"}, "/name"),
        ({"name": "Ink", "country": "DE", "registry_number": "1\u00002"}, "/registry_number"),
        ({"name": "Ink", "country": "US", "vat_number": "12\u000034"}, "/vat_number"),
        ({"name": "Ink", "country": "DE", "vat": "1"}, "/vat"),
        ({"name": "Ink", "country": "DE", "monitoring": "hourly"}, "/monitoring"),
    ):
        answer = await client.post("/v1/counterparties", wrong)
        assert answer.status == 422, wrong
        assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert (await client.get("/v1/counterparties")).json()["items"] == []
    assert kyb.spy.of(CounterpartyCreated, org) == []


async def test_two_counterparties_do_not_share_a_number(kyb: Harness, org: UUID, make: Make) -> None:
    client, lei = kyb.client(org), any_lei()
    first = await make(lei=lei)
    twice = await client.post("/v1/counterparties", {"name": "Other", "country": "DE", "lei": lei})
    assert twice.status == 409
    assert twice.json()["errors"][0]["pointer"] == "/lei"
    assert first["id"] in twice.json()["errors"][0]["detail"]
    other = await make(vat_number=german_number())
    clash = await client.patch(f"/v1/counterparties/{other['id']}", {"lei": lei})
    assert (clash.status, clash.json()["errors"][0]["pointer"]) == (409, "/lei")
    elsewhere = await kyb.client(new_id()).post(
        "/v1/counterparties", {"name": "Other", "country": "DE", "lei": lei}
    )
    assert elsewhere.status == 201


async def test_the_list_is_filtered_and_paged(kyb: Harness, org: UUID, make: Make) -> None:
    made: list[str] = []
    for number, country in enumerate(("DE", "FR", "DE")):
        made.append((await make(name=f"Ink {number}", country=country))["id"])
    client = kyb.client(org)
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await client.get(f"/v1/counterparties?limit=1{cursor}")).json()
        seen += [item["id"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == made[::-1]
    assert await _ids(client, "country=FR") == [made[1]]
    assert await _ids(client, "state=unverified&risk_level=medium") == made[::-1]
    assert await _ids(client, "state=verified") == []
    assert (await client.get("/v1/counterparties?vat_number=%00")).status == 422
    assert (await client.get("/v1/counterparties?cursor=bm9uZQ")).status == 422


async def _ids(client: Any, query: str) -> list[str]:
    return [item["id"] for item in (await client.get(f"/v1/counterparties?{query}")).json()["items"]]


async def test_what_no_register_knows_by_is_said_at_once(kyb: Harness, org: UUID, make: Make) -> None:
    made = await make(country="US", registry_number="C 1234567")
    assert (made["state"], made["risk_score"], made["risk_level"]) == ("unverified", 20, "medium")
    event = await kyb.spy.expect(CounterpartyChecked, lambda event: event.org == org)
    assert [reason.type for reason in event.data.reasons] == ["nothing_to_ask"]
    assert event.sequence == 3


async def test_a_request_repeated_with_its_key_is_done_once(
    kyb: Harness, org: UUID, vies: ViesSimulator
) -> None:
    client, number = kyb.client(org), german_number()
    vies.register("DE", number)
    body = {"name": "Ink", "country": "DE", "vat_number": number}
    key = {"Idempotency-Key": str(new_id())}
    one = await client.post("/v1/counterparties", body, headers=key)
    two = await client.post("/v1/counterparties", body, headers=key)
    assert (one.status, two.status, one.json()["id"]) == (201, 201, two.json()["id"])
    await checked(kyb, one.json()["id"])
    assert vies.times_asked(f"DE{number}") == 1


async def test_another_organization_sees_nothing(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator
) -> None:
    made = await make(vat_number=german_number())
    await checked(kyb, made["id"])
    client, stranger = kyb.client(org), kyb.client(new_id())
    path = f"/v1/counterparties/{made['id']}"
    check = (await client.get(f"{path}/checks")).json()["items"][0]["id"]
    snapshot = (await client.get(f"{path}/snapshots")).json()["items"][0]["id"]
    alert = (await client.get("/v1/counterparty-alerts")).json()["items"][0]["id"]
    reads = (
        path,
        f"{path}/checks",
        f"{path}/checks/{check}",
        f"{path}/checks/{check}/evidence",
        f"{path}/snapshots",
        f"{path}/snapshots/{snapshot}",
        f"/v1/counterparty-alerts/{alert}",
    )
    for read in reads:
        assert ((await client.get(read)).status, (await stranger.get(read)).status) == (200, 404), read
    assert (await stranger.patch(path, {"name": "Mine"})).status == 404
    assert (await stranger.post(f"{path}/checks")).status == 404
    assert (await stranger.post(f"/v1/counterparty-alerts/{alert}/acknowledge")).status == 404
    for listed in ("/v1/counterparties", "/v1/counterparty-alerts"):
        assert (await stranger.get(listed)).json()["items"] == []


async def test_a_viewer_reads_and_does_not_write(kyb: Harness, org: UUID, make: Make) -> None:
    made = await make()
    viewer = kyb.client(org, "viewer")
    path = f"/v1/counterparties/{made['id']}"
    assert (await viewer.get(path)).status == 200
    assert (await viewer.patch(path, {"name": "Mine"})).status == 403
    assert (await viewer.post(f"{path}/checks")).status == 403
    assert (await kyb.client(org, "client").get(path)).status == 403


async def test_another_number_is_asked_about_at_once(
    kyb: Harness, org: UUID, make: Make, vies: ViesSimulator
) -> None:
    """What VIES said of the old number is of no account; the check of it ends without a result."""
    right, wrong = german_number(), german_number()
    vies.register("DE", right, "Ink & Paper GmbH", "Hauptstr. 1\n10115 Berlin")
    made = await make(vat_number=wrong)
    assert (await checked(kyb, made["id"])).state == "invalid"
    path = f"/v1/counterparties/{made['id']}"
    await kyb.client(org).patch(path, {"vat_number": right})

    async def verified() -> bool:
        return bool((await kyb.client(org).get(path)).json()["state"] == "verified")

    await eventually(verified)
    snapshot = (await kyb.client(org).get(f"{path}/snapshots")).json()["items"][0]
    assert snapshot["changed"] == {}
    assert snapshot["fields"]["vies.address"]["value"] == "Hauptstr. 1, 10115 Berlin"
