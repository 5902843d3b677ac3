"""What somebody did and no event tells of is told as a request, once, and nothing else is."""

import signal
from contextlib import suppress
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import pytest
from flotilla.events.analytics import RequestPerformed
from flotilla.events.base import contract_of
from flotilla.ids import new_id
from flotilla.store.telling import writes
from flotilla.telemetry import metrics
from flotilla.testing import Client, Harness
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.children import child
from libs.common.tests.http.shop import __name__ as service_module
from libs.common.tests.http.shop import service

SIGN = {"words": "Open", "color": "red"}


async def told(shop: Harness, org: UUID) -> list[dict[str, Any]]:
    """The envelopes of an organization's requests, in their order."""
    rows = await shop.app.db.fetch(
        "SELECT body FROM outbox WHERE type = $1 ORDER BY id", "request.performed.v1"
    )
    envelopes = [msgspec.json.decode(row["body"]) for row in rows]
    return [each for each in envelopes if each["organizationid"] == str(org)]


async def opened(client: Client) -> str:
    return str((await client.post("/v1/shops", {"name": "Otter & Sons"})).json()["id"])


async def test_what_emits_an_event_is_not_told_again(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    assert (await client.post(f"/v1/shops/{shop_id}/paint?tell=true", SIGN)).status == 204
    assert await told(shop, client.org) == []


async def test_what_emits_none_is_told_by_names_of_fields(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    body = {"name": "A secret name", "size": 3}
    assert (await client.patch(f"/v1/shops/{shop_id}", body)).status == 200
    assert (await client.post(f"/v1/shops/{shop_id}/paint", SIGN)).status == 204
    renamed, painted = await told(shop, client.org)
    assert (renamed["actor"], renamed["subject"]) == (f"user:{client.user_id}", shop_id)
    assert renamed["source"] == "/flotilla/crm"
    assert "secret" not in str(renamed)
    data = renamed["data"]
    assert (data["method"], data["route"]) == ("PATCH", "/v1/shops/{shop_id}")
    assert (data["parameters"], data["fields"]) == ({"shop_id": shop_id}, ["name", "size"])
    assert painted["data"]["route"] == "/v1/shops/{shop_id}/paint", "also in a transaction of its own"
    assert painted["sequence"] > renamed["sequence"]


async def test_values_are_told_where_the_route_says_that_they_may_be(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    assert (await client.put(f"/v1/shops/{shop_id}/sign", SIGN)).status == 200
    long = {"words": "x" * 9000}
    assert (await client.put(f"/v1/shops/{shop_id}/sign", long)).status == 200
    one, other = await told(shop, client.org)
    assert one["data"]["values"] == SIGN
    assert (other["data"]["values"], other["data"]["fields"]) == ({}, ["words"])


@pytest.mark.parametrize("own", ["false", "true"])
async def test_what_a_route_says_that_it_changes_is_told_beside_other_events(
    shop: Harness, client: Client, own: str
) -> None:
    shop_id = await opened(client)
    assert (await client.put(f"/v1/shops/{shop_id}/board?own={own}", SIGN)).status == 204
    (painted,) = await told(shop, client.org)
    data = painted["data"]
    assert data["old_and_new"] == {"words": ["Otter & Sons", "Open"], "color": ["black", "red"]}
    assert (data["fields"], data["values"]) == (["color", "words"], {})
    assert data["user_id"] == str(client.user_id)
    assert "old_and_new" in contract_of(RequestPerformed).personal_fields, "the archive seals it"


async def test_of_what_is_too_long_size_and_hash_are_told(shop: Harness, client: Client) -> None:
    shop_id, long = await opened(client), {"words": "x" * 70_000}
    assert (await client.put(f"/v1/shops/{shop_id}/board", long)).status == 204
    (painted,) = await told(shop, client.org)
    old, new = painted["data"]["old_and_new"]["words"]
    assert old == "Otter & Sons"
    assert (new["bytes"], len(new["sha256"])) == (70_002, 64)


async def test_nothing_is_told_of_what_does_nothing(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    assert (await client.get(f"/v1/shops/{shop_id}")).status == 200
    assert (await client.post(f"/v1/shops/{shop_id}/look")).status == 204
    assert (await client.patch(f"/v1/shops/{new_id()}", {"name": "x"})).status == 404
    assert (await client.patch(f"/v1/shops/{shop_id}", {"name": ""})).status == 422
    viewer = shop.client(client.org, "viewer")
    assert (await viewer.patch(f"/v1/shops/{shop_id}", {"name": "x"})).status == 403
    assert (await shop.anonymous().post("/v1/shops/open")).status == 201
    assert await told(shop, client.org) == []


async def test_a_repeated_request_is_told_once(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    key = {"Idempotency-Key": str(new_id())}
    for _ in range(2):
        answer = await client.put(f"/v1/shops/{shop_id}/sign", SIGN, headers=key)
        assert answer.status == 200
    assert len(await told(shop, client.org)) == 1


async def test_what_a_route_commits_by_itself_is_told_with_it(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    broken = await client.post(f"/v1/shops/{shop_id}/move", {"words": "North", "color": "broken"})
    assert broken.status == 500
    assert (await client.get(f"/v1/shops/{shop_id}")).json()["name"] == "North"
    (moved,) = await told(shop, client.org)
    data = moved["data"]
    assert (data["route"], data["parameters"]) == ("/v1/shops/{shop_id}/move", {"shop_id": shop_id})
    assert (data["thing_id"], data["fields"]) == (shop_id, ["color", "words"])
    assert moved["actor"] == f"user:{client.user_id}"


async def test_however_many_transactions_it_takes_it_is_told_once(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    moved = await client.post(f"/v1/shops/{shop_id}/move", {"words": "South", "color": "twice"})
    assert moved.status == 204
    assert len(await told(shop, client.org)) == 1


async def test_looking_and_locking_is_no_deed(shop: Harness, client: Client) -> None:
    shop_id = await opened(client)
    assert (await client.post(f"/v1/shops/{shop_id}/move", {"words": "Refused"})).status == 409
    assert await told(shop, client.org) == []


async def test_what_no_transaction_did_is_told_late_and_counted(shop: Harness, client: Client) -> None:
    late = metrics.UNTOLD.labels("/v1/shops/{shop_id}/carry")._value
    before = late.get()
    assert (await client.post(f"/v1/shops/{new_id()}/carry")).status == 204
    assert late.get() == before + 1
    assert len(await told(shop, client.org)) == 1


async def test_a_process_that_dies_after_its_commit_has_told(
    worker: str, start_service: StartService, org: UUID
) -> None:
    async with (
        isolated(service, worker) as stores,
        start_service(service, instance=stores, lanes_paused=True) as survivor,
        child(stores, service_module) as victim,
    ):
        await victim.ready(survivor)
        client = survivor.client(org)
        shop_id = await opened(client)
        with suppress(OSError, aiohttp.ClientError):
            path = f"/v1/shops/{shop_id}/move"
            await victim.as_seen_by(client).post(path, {"words": "West", "color": "dead"})
        assert await victim.died() == -signal.SIGKILL
        assert (await client.get(f"/v1/shops/{shop_id}")).json()["name"] == "West", "it was done"
        (moved,) = await told(survivor, org)
        assert moved["data"]["thing_id"] == shop_id


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT * FROM deals FOR UPDATE", False),
        ("SELECT updated_at, deleted FROM deals WHERE id = $1 FOR NO KEY UPDATE", False),
        ("WITH gone AS (DELETE FROM deals RETURNING id) SELECT * FROM gone", True),
        ("update deals as d set name = 'x'", True),
        ("UPDATE pipeline.deals\nSET name = 'x'", True),
        ("INSERT INTO deals SELECT 1 ON CONFLICT DO NOTHING", True),
    ],
)
def test_statements_say_whether_they_write(sql: str, written: bool) -> None:
    assert writes(sql) is written
