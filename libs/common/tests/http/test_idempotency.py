"""Idempotency-Key: a request that is sent again is done once and answered alike."""

import asyncio
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla.security.sealing import sealed_under
from flotilla.testing import Client, Harness
from flotilla.testing.harness import Answer

from libs.common.tests.http.shop import may_go_on, waiting

SHOP = {"name": "Harbour"}


async def post(client: Client, body: object, key: str, path: str = "/v1/shops") -> Answer:
    return await client.post(path, body, headers={"Idempotency-Key": key})


async def effects(harness: Harness, org: UUID) -> tuple[int, int, int]:
    """(rows, events, stored answers) of one organization."""
    async with harness.app.db.transaction(org) as tx:
        rows = await tx.fetchval("SELECT count(*) FROM companies")
    like = f"%{org}%"
    events = "SELECT count(*) FROM outbox WHERE convert_from(body, 'UTF8') LIKE $1"
    answers = "SELECT count(*) FROM idempotency_keys WHERE scope LIKE $1"
    db = harness.app.db
    return rows, await db.fetchval(events, like), await db.fetchval(answers, like)


@pytest.mark.parametrize("path", ["/v1/shops", "/v1/shops/prepared"])
async def test_sent_again_it_is_done_once_and_answered_alike(
    shop: Harness, client: Client, org: UUID, path: str
) -> None:
    first = await post(client, SHOP, "k", path)
    again = await post(client, SHOP, "k", path)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert [again.headers[name] for name in ("Location", "ETag", "Content-Type")] == [
        first.headers[name] for name in ("Location", "ETag", "Content-Type")
    ]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await effects(shop, org) == (1, 1, 1)


async def test_another_request_under_the_same_key_is_refused(
    shop: Harness, client: Client, org: UUID
) -> None:
    await post(client, SHOP, "k")
    answer = await post(client, {"name": "Harbour 2"}, "k")
    assert answer.status == 422
    assert "choose a new one" in answer.json()["detail"]
    assert await effects(shop, org) == (1, 1, 1)


async def test_what_the_address_asks_for_is_a_part_of_the_request(
    shop: Harness, client: Client, org: UUID
) -> None:
    assert (await post(client, SHOP, "k", "/v1/shops?part=1")).status == 201
    assert (await post(client, SHOP, "k", "/v1/shops?part=2")).status == 422
    assert (await post(client, SHOP, "k", "/v1/shops?part=1")).headers["Idempotent-Replayed"] == "true"


async def test_while_the_first_is_being_worked_on_the_second_is_told_so(
    shop: Harness, client: Client, org: UUID
) -> None:
    waiting.clear()
    may_go_on.clear()
    first = asyncio.create_task(post(client, {"name": "Waits"}, "k"))
    await waiting.wait()
    assert (await post(client, {"name": "Waits"}, "k")).status == 409
    may_go_on.set()
    assert (await first).status == 201
    assert (await post(client, {"name": "Waits"}, "k")).headers["Idempotent-Replayed"] == "true"
    assert await effects(shop, org) == (1, 1, 1)


@pytest.mark.parametrize(("name", "status"), [("Fails", 500), ("Refused", 409), ("", 422)])
async def test_after_a_failure_the_key_is_free(
    shop: Harness, client: Client, org: UUID, name: str, status: int
) -> None:
    assert (await post(client, {"name": name}, "k")).status == status
    assert await effects(shop, org) == (0, 0, 0), "the answer is stored with what it tells of, or not at all"
    assert (await post(client, SHOP, "k")).status == 201
    assert await effects(shop, org) == (1, 1, 1)


async def test_keys_of_others_and_of_other_routes_are_other_keys(
    shop: Harness, client: Client, org: UUID
) -> None:
    colleague, stranger = shop.client(org), shop.client(new_id())
    answers = [await post(each, SHOP, "k") for each in (client, colleague, stranger)]
    answers.append(await post(client, SHOP, "k", "/v1/shops/prepared"))
    assert len({answer.json()["id"] for answer in answers}) == 4


async def test_nobodys_answers_are_not_kept(shop: Harness) -> None:
    first, again = [await post(shop.anonymous(), SHOP, "k", "/v1/shops/open") for _ in range(2)]
    assert first.json()["token"] != again.json()["token"], "one caller's token is not the next one's"
    assert first.json()["key"] == ""


async def test_a_key_has_bounds(client: Client) -> None:
    assert (await post(client, SHOP, "k" * 256)).status == 422
    assert (await post(client, SHOP, "k" * 255)).status == 201


async def test_changes_and_removals_are_kept_too(shop: Harness, client: Client, org: UUID) -> None:
    path = (await client.post("/v1/shops", SHOP)).headers["Location"]
    changes = [await client.patch(path, SHOP, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [change.json()["sequence"] for change in changes] == [2, 2]
    removals = [await client.delete(path, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [(removal.status, removal.body) for removal in removals] == [(204, b"")] * 2
    assert removals[1].headers["Idempotent-Replayed"] == "true"


async def test_an_answer_is_kept_sealed_and_one_that_was_taken_back_is_not_made_again(
    shop: Harness, client: Client, org: UUID
) -> None:
    """Some answers tell a secret, this once: who reads the table has none of them."""
    first = await post(client, SHOP, "k")
    assert b"Harbour" in first.body
    of_org = "FROM idempotency_keys WHERE scope LIKE $1"
    kept = await shop.app.db.fetchrow(f"SELECT body {of_org}", f"{org}:%")
    assert kept is not None
    assert b"Harbour" not in kept["body"]
    assert sealed_under(kept["body"]) == shop.app.keyring.newest
    await shop.app.db.execute("UPDATE idempotency_keys SET body = '{}' WHERE scope LIKE $1", f"{org}:%")
    again = await post(client, SHOP, "k")
    assert (again.status, "no longer kept" in again.json()["detail"]) == (409, True)
    assert await effects(shop, org) == (1, 1, 1)
