"""Sequences over HTTP: versions, ETags, permissions, tenancy."""

from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Harness

from services.campaign.tests.conftest import AGAIN, HELLO, WAIT, Stands, Wish, enrolled, published, sent


async def test_a_sequence_is_written_published_and_deleted(campaign: Harness, org: UUID) -> None:
    client = campaign.client(org)
    made = await client.post("/v1/sequences", {"name": " Welcome  all ", "steps": [HELLO]})
    id_, etag = made.json()["id"], made.headers["ETag"]
    assert (made.status, made.json()["name"], made.json()["version"]) == (201, "Welcome all", 0)
    body = {"contact_id": str(new_id()), "conversation_id": str(new_id())}
    assert (await client.post(f"/v1/sequences/{id_}/enrolments", body)).status == 409

    changed = await client.patch(f"/v1/sequences/{id_}", {"name": "Hello"}, headers={"If-Match": etag})
    assert (changed.status, changed.json()["name"]) == (200, "Hello")
    stale = await client.patch(f"/v1/sequences/{id_}", {"name": "Late"}, headers={"If-Match": etag})
    assert stale.status == 412
    assert (await client.post(f"/v1/sequences/{id_}/versions")).json()["version"] == 1
    assert [each["id"] for each in (await client.get("/v1/sequences")).json()["items"]] == [id_]
    assert (await client.delete(f"/v1/sequences/{id_}")).status == 204
    assert (await client.get(f"/v1/sequences/{id_}")).status == 404
    assert (await client.get("/v1/sequences")).json()["items"] == []


async def test_mistakes_are_pointed_at(campaign: Harness, org: UUID) -> None:
    steps = [HELLO, {"type": "branch", "on": "replied", "then": 1, "otherwise": 2}]
    answer = await campaign.client(org).post("/v1/sequences", {"name": "Loop", "steps": steps})
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/steps/1")
    zone = {"contact_id": str(new_id()), "conversation_id": str(new_id()), "time_zone": "Mars/Base"}
    id_ = await published(campaign, org)
    assert (await campaign.client(org).post(f"/v1/sequences/{id_}/enrolments", zone)).status == 422


async def test_who_is_enrolled_stays_on_their_version(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    id_ = await published(campaign, org, steps=[HELLO, AGAIN])
    first = await enrolled(campaign, org, id_)
    asked = await wish()
    client = campaign.client(org)
    await client.patch(f"/v1/sequences/{id_}", {"steps": [WAIT]})
    await client.post(f"/v1/sequences/{id_}/versions")
    await campaign.publish(sent(asked), org=org)
    assert (await wish(1)).data.text == "Still there?"
    second = await enrolled(campaign, org, id_)
    waiting = await stands(second["id"], phase="wait", version=2)
    assert [step["kind"] for step in waiting["steps"]] == ["wait"]
    assert (await stands(first["id"], version=1))["step"] == 1


async def test_one_run_a_person_and_sequence(campaign: Harness, org: UUID) -> None:
    id_ = await published(campaign, org, steps=[WAIT])
    client = campaign.client(org)
    made = await enrolled(campaign, org, id_)
    body = {name: made[name] for name in ("contact_id", "conversation_id")}
    assert (await client.post(f"/v1/sequences/{id_}/enrolments", body)).status == 409
    assert (await client.post(f"/v1/enrolments/{made['id']}/stop")).json()["reason"] == "stopped"
    assert (await client.post(f"/v1/enrolments/{made['id']}/stop")).status == 409
    assert (await client.post(f"/v1/sequences/{id_}/enrolments", body)).status == 201
    listed = (await client.get(f"/v1/sequences/{id_}/enrolments?state=stopped")).json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]


async def test_other_organizations_and_roles_are_kept_out(campaign: Harness, org: UUID) -> None:
    id_ = await published(campaign, org, steps=[WAIT])
    made = await enrolled(campaign, org, id_)
    await campaign.client(org).post("/v1/suppressions", {"contact_id": made["contact_id"]})
    stranger = campaign.client(new_id())
    paths = (f"/v1/sequences/{id_}", f"/v1/sequences/{id_}/enrolments", f"/v1/enrolments/{made['id']}")
    assert [(await stranger.get(path)).status for path in paths] == [404, 404, 404]
    assert (await stranger.post(f"/v1/enrolments/{made['id']}/stop")).status == 404
    assert (await stranger.post(f"/v1/sequences/{id_}/versions")).status == 404
    assert (await stranger.get("/v1/suppressions")).json()["items"] == []
    member = campaign.client(org, role="team_member")
    assert (await member.get(f"/v1/sequences/{id_}")).status == 200
    assert (await member.post(f"/v1/sequences/{id_}/versions")).status == 403
    assert (await campaign.client(org, role="client").get("/v1/suppressions")).status == 403
