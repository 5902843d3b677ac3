"""The audit log: who did what, found by what one knows of it, with old and new values."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events import auth, crm, security
from flotilla.events.analytics import AuditExported
from flotilla.events.base import Event
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_analytics.domain import changes
from flotilla_analytics.store.audit_log import Wanted, read_page

from services.analytics.tests.conftest import Events


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


Acts = list[dict[str, Any]]


async def found(client: Client, count: int, query: str = "") -> Acts:
    """The audit log, once it has so many."""

    async def read() -> Acts:
        answer = await client.get(f"/v1/audit?limit=200{query}")
        assert answer.status == 200, answer.body
        items: Acts = answer.json()["items"]
        return items if len(items) == count else []

    return await eventually(read, what=f"{count} acts for {query!r}")


def user(person: UUID, role: str, kind: type[auth.User] = auth.UserUpdated, **more: Any) -> auth.User:
    told = {"email": "ada@example.org", "name": "Ada", "locale": "en", "state": "active", "role_id": None}
    return kind(user_id=person, role=role, **{**told, **more})


async def tell(analytics: Harness, org: UUID, data: Event, actor: str | None, sequence: int = 1) -> UUID:
    return await analytics.publish(data, org=org, sequence=sequence, cause=Cause.fresh(actor))


async def test_an_act_shows_old_and_new_values(analytics: Harness, org: UUID, events: Events) -> None:
    actor = f"user:{new_id()}"
    data = events.contact(
        crm.ContactUpdated, name="Grace Hopper", changed={"name": ["Grace Murray", "Grace Hopper"]}
    )
    await tell(analytics, org, data, actor)
    await tell(analytics, org, events.received(), f"contact:{new_id()}")
    (act,) = await found(analytics.client(org), 1)
    assert (act["actor"], act["action"], act["outcome"]) == (actor, "contact.updated.v1", "succeeded")
    assert (act["subject"], act["direct"]) == (str(data.contact_id), True)
    changed = {"field": "name", "old": "Grace Murray", "new": "Grace Hopper", "derived": False}
    assert act["changes"] == [changed]
    for role in ("team_owner", "team_member", "viewer", "client"):
        assert (await analytics.client(org, role).get("/v1/audit")).status == 403
    assert (await analytics.client(new_id()).get("/v1/audit")).json()["items"] == []


async def test_what_an_event_does_not_say_the_state_before_does(analytics: Harness, org: UUID) -> None:
    person, actor = new_id(), f"user:{new_id()}"
    await tell(analytics, org, user(person, "viewer", auth.UserCreated), actor, 1)
    await tell(analytics, org, user(person, "admin", name="Ada L."), actor, 2)
    # Of the same person, counted otherwise: no state of theirs.
    changed = security.UserPasswordChanged(user_id=person, how="changed")
    await tell(analytics, org, changed, actor, 2)
    await tell(analytics, org, user(person, "admin", auth.UserDeactivated, state="deactivated"), actor, 3)
    acts = {act["action"]: act["changes"] for act in await found(analytics.client(org), 4)}
    assert acts["user.created.v1"] == acts["user.password.changed.v1"] == []
    assert [(each["field"], each["old"], each["new"]) for each in acts["user.updated.v1"]] == [
        ("name", "Ada", "Ada L."),
        ("role", "viewer", "admin"),
    ]
    by_field = {each["field"]: each for each in acts["user.deactivated.v1"]}
    assert by_field["state"] == {"field": "state", "old": "active", "new": "deactivated", "derived": True}


async def test_what_no_other_event_tells_of_is_there_too(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    wanted = {"name": "Ten", "measure": "deals_won", "target": "10"}
    goal = await client.post("/v1/goals", wanted)
    assert goal.status == 201, goal.body
    path = f"/v1/goals/{goal.json()['id']}"
    for target in ("12", "12", "15"):
        assert (await client.patch(path, {"target": target})).status == 200
    assert (await client.delete(path)).status == 204
    acts = await found(client, 5, f"&subject={goal.json()['id']}&actor=user:{client.user_id}")
    assert {act["action"] for act in acts} == {"request.performed.v1"}
    made, *changed, removed = reversed(acts)
    assert {(each["field"], each["old"], each["new"]) for each in made["changes"]} == {
        (name, None, value) for name, value in wanted.items()
    }
    assert [[(each["old"], each["new"]) for each in act["changes"]] for act in changed] == [
        [("10", "12")],
        [],
        [("12", "15")],
    ]
    assert removed["data"]["method"] == "DELETE"
    gone = {each["field"]: (each["old"], each["new"]) for each in removed["changes"]}
    assert (gone["name"], gone["target"]) == (("Ten", None), ("15", None))
    named = await found(client, 2, f"&subject={goal.json()['id']}&field=measure")
    assert {act["data"]["method"] for act in named} == {"POST", "DELETE"}, "found by the name of a field"


async def test_it_is_found_by_what_one_knows_of_it(analytics: Harness, org: UUID, events: Events) -> None:
    person, began = new_id(), datetime.now(UTC).isoformat().replace("+00:00", "Z")
    contact = events.contact(crm.ContactUpdated, changed={"owner_id": [None, str(person)]})
    await tell(analytics, org, contact, f"user:{person}")
    await tell(analytics, org, events.company(), f"api_key:{new_id()}")
    await tell(analytics, org, events.company(), "operator:root")
    failed = auth.UserSignInFailed(user_id=person, address="192.0.2.7", attempts=3)
    await tell(analytics, org, failed, None)
    refused = security.UserPasskeyRefused(
        user_id=person, passkey_id=None, address="192.0.2.7", reason="anothers"
    )
    await tell(analytics, org, refused, None)
    client = analytics.client(org)
    await found(client, 5)
    assert len(await found(client, 1, f"&actor=user:{person}")) == 1
    assert len(await found(client, 1, "&actor=operator:root")) == 1
    assert len(await found(client, 2, f"&subject={person}")) == 2
    for query, expected in (
        ("action=company", {"company.created.v1"}),
        ("action=contact.updated.v1", {"contact.updated.v1"}),
        ("action=contact.upd", set()),
        ("outcome=failed", {"user.sign_in.failed.v1", "user.passkey.refused.v1"}),
        ("outcome=failed&action=user.sign_in", {"user.sign_in.failed.v1"}),
        ("outcome=succeeded", {"company.created.v1", "contact.updated.v1"}),
        ("field=OWNER", {"contact.updated.v1"}),
        ("field=owner_id&outcome=failed", set()),
        ("field=%7B%7D%25", set()),
        (f"to={began}", set()),
    ):
        items = (await client.get(f"/v1/audit?{query}")).json()["items"]
        assert {item["action"] for item in items} == expected, query
    assert len((await client.get(f"/v1/audit?from={began}")).json()["items"]) == 5
    for wrong in (
        "actor=%00",
        "action=%00",
        "field=%00",
        "outcome=perhaps",
        "from=yesterday",
        "actor=",
        "cursor=x",
    ):
        assert (await client.get(f"/v1/audit?{wrong}")).status == 422, wrong


async def test_it_comes_in_pages(analytics: Harness, org: UUID, events: Events) -> None:
    for _ in range(5):
        await tell(analytics, org, events.company(), f"user:{new_id()}")
    client = analytics.client(org)
    whole = await found(client, 5)
    seen: Acts = []
    query: str | None = ""
    while query is not None:
        body = (await client.get(f"/v1/audit?limit=2{query}")).json()
        seen += body["items"]
        query = f"&cursor={body['next_cursor']}" if body["next_cursor"] else None
    assert seen == whole


async def test_the_few_acts_are_found_among_many_events(analytics: Harness, org: UUID) -> None:
    """The condition is the index's, word for word."""
    async with analytics.app.db.transaction(org) as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        where = Wanted().where(org)
        plan = await tx.fetch(
            f"EXPLAIN SELECT id FROM archive WHERE {where} ORDER BY time DESC, id DESC LIMIT 5",
            *where.arguments,
        )
        assert await read_page(tx, org, Wanted(), None, 5) == []
    said = "\n".join(row["QUERY PLAN"] for row in plan)
    indexes = {
        row["name"]
        for row in await analytics.app.db.fetch(
            "SELECT indexrelid::regclass::text AS name FROM pg_index"
            " WHERE pg_get_expr(indpred, indrelid) LIKE '%operator%'"
        )
    }
    assert any(name.rpartition(".")[2] in said for name in indexes), said


async def test_a_download_is_for_those_who_may(analytics: Harness, org: UUID, events: Events) -> None:
    await tell(analytics, org, events.company(name="=1+1"), f"user:{new_id()}")
    client = analytics.client(org)
    await found(client, 1)
    table = await client.get("/v1/audit/export?format=csv")
    assert (table.status, table.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    header, row = table.body.decode("utf-8-sig").splitlines()
    assert header.startswith("id,time,actor,action,outcome,subject,field,old,new")
    assert "company.created.v1" in row
    proven = await client.get("/v1/audit/export")
    assert (proven.status, proven.headers["Content-Type"]) == (200, "application/x-ndjson")
    assert proven.headers["Cache-Control"] == "private, no-store"
    assert (await client.get("/v1/audit/key")).json()["key"].encode() in proven.body
    told = await analytics.spy.expect(AuditExported, lambda event: event.org == org)
    assert (told.data.format, told.envelope.actor) == ("csv", f"user:{client.user_id}")
    stale = await analytics.client(org, authenticated_seconds_ago=601).get("/v1/audit/export")
    assert (stale.status, stale.json()["type"]) == (401, "/problems/step-up-required")
    program = analytics.client(org, scopes=("archive:read",))
    assert (await program.get("/v1/audit/export")).status == 200, "somebody gave it the scope"
    for path in ("/v1/audit/export", "/v1/audit/key"):
        assert (await analytics.client(org, "viewer").get(path)).status == 403


def test_states_are_compared_with_states_of_the_same_thing() -> None:
    assert "user.created.v1" in changes.relatives("user.updated.v1")
    assert changes.relatives("user.password.changed.v1") == ("user.password.changed.v1",)
    assert changes.relatives("parcel.lost.v7") == ()
    assert "changed" not in changes.state_fields("deal.won.v1")
