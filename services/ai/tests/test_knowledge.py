"""Knowledge over HTTP."""

from uuid import UUID

from flotilla.events.ai import KnowledgeIndexed
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import running
from flotilla_ai.service import service

from services.ai.tests.conftest import HELP


async def test_a_source_can_be_searched_and_removed(
    ai: Harness, org: UUID, owner: Client, knowledge: UUID
) -> None:
    told = await ai.spy.expect(KnowledgeIndexed, lambda event: event.org == org)
    assert (told.data.source_id, told.data.chunks, told.data.state) == (knowledge, 3, "indexed")
    read = await owner.get(f"/v1/knowledge/sources/{knowledge}")
    assert (read.json()["text"], read.json()["language"]) == (HELP, "en")
    hits = (await owner.get("/v1/knowledge/search?q=скільки+коштує+доставка")).json()["items"]
    assert hits[0]["heading"] == "Shop help › Delivery costs"
    etag = read.headers["ETag"]
    stale = await owner.delete(f"/v1/knowledge/sources/{knowledge}", headers={"If-Match": '"9"'})
    assert stale.status == 412
    path = f"/v1/knowledge/sources/{knowledge}"
    assert (await owner.delete(path, headers={"If-Match": etag})).status == 204
    assert (await owner.delete(path)).status == 404
    removed = await ai.spy.expect(KnowledgeIndexed, lambda event: event.org == org and event.sequence == 2)
    assert (removed.data.source_id, removed.data.state) == (knowledge, "removed")
    assert (await owner.get("/v1/knowledge/search?q=shipping")).json()["items"] == []


async def test_sources_are_checked_and_repeated_safely(ai: Harness, owner: Client, member: Client) -> None:
    path = "/v1/knowledge/sources"
    for body in (
        {"title": "", "text": "a"},
        {"title": "a", "text": "\u0000"},
        {"title": "a", "text": "# only"},
    ):
        assert (await owner.post(path, body)).status == 422
    assert (await owner.post(path, {"title": "a", "text": "x" * 400_001})).status == 422
    assert (await owner.post(path, body=b'{"title": "a", "text": "\\ud83d"}')).status == 422
    assert (await owner.post(path, body=b'{"title": "a", "text": "\xff"}')).status == 400
    assert (await member.post(path, {"title": "a", "text": "b"})).status == 403
    key = {"Idempotency-Key": "k"}
    first = await owner.post(path, {"title": "Hours", "text": "Open at nine."}, headers=key)
    again = await owner.post(path, {"title": "Hours", "text": "Open at nine."}, headers=key)
    assert (first.status, first.json()) == (201, again.json())
    assert len((await owner.get(path)).json()["items"]) == 1
    assert (await owner.get(first.headers["Location"])).json()["title"] == "Hours"


async def test_another_replica_forgets_what_changed(ai: Harness, org: UUID, owner: Client) -> None:
    async with running(service, instance=ai.instance) as other:
        elsewhere = other.client(org)
        assert (await elsewhere.get("/v1/knowledge/search?q=warranty")).json()["items"] == []
        source = {"title": "Shop", "text": "Our warranty lasts two years."}
        assert (await owner.post("/v1/knowledge/sources", source)).status == 201

        async def found() -> bool:
            return bool((await elsewhere.get("/v1/knowledge/search?q=warranty")).json()["items"])

        await eventually(found)
