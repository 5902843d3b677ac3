"""Making, changing and removing subscriptions; who may, and what is refused."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from flotilla.events.auth import UserLoggedIn
from flotilla.events.integrations import PartnerSubscriptionChanged
from flotilla.ids import new_id
from flotilla.security.sealing import UnsealError
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_integrations.partners import api, secrets

from services.integrations.tests.partners.conftest import SETTINGS, Endpoint, Subscribe, company

PATH = "/v1/partner-subscriptions"
HOOK = {"kind": "webhook", "name": "ERP", "types": ["deal.won.v1"], "url": "https://erp.example.com/in"}


async def test_a_secret_is_shown_once_and_kept_sealed(
    partners: Harness, org: UUID, admin: Client, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["deal.*"])
    secret = subscribed.made["secret"].encode()
    for path in (PATH, subscribed.path):
        assert secret not in (await admin.get(path)).body
    async with partners.app.db.transaction(org) as tx:
        row = await tx.fetchrow("SELECT * FROM partner_subscriptions")
    assert row is not None
    assert secret not in row["sealed"]
    with pytest.raises(UnsealError):
        secrets.unseal(partners.app.keyring, new_id(), row["sealed"])
    told = await partners.spy.expect(PartnerSubscriptionChanged, lambda event: event.org == org)
    assert (told.data.state, told.data.types, told.envelope.audience) == ("active", ["deal.*"], None)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"types": ["signing_key.rotated.v1"]}, "/types/0"),
        ({"types": ["signing_key.*"]}, "/types/0"),
        ({"types": ["deal.won.v1", "message.send.requested.v1"]}, "/types/1"),
        ({"types": ["deal.won.v9"]}, "/types/0"),
        ({"types": []}, "/types"),
        ({"filters": {"time": ["now"]}}, "/filters/time"),
        ({"filters": {"data.title": ["Mugs"]}}, "/filters/data.title"),
        ({"filters": {"data.stage_id": []}}, "/filters/data.stage_id"),
        ({"url": None}, "/url"),
        ({"kind": "amqp"}, "/url"),
        ({"kind": "pigeon"}, "/kind"),
        ({"url": "ftp://erp.example.com"}, "/url"),
        ({"name": "a\x00"}, "/name"),
        ({"state": "active"}, "/state"),
    ],
)
async def test_what_is_wrong_is_pointed_at(admin: Client, change: dict[str, Any], pointer: str) -> None:
    answer = await admin.post(PATH, {**HOOK, **change})
    assert answer.status == 422, answer.body
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert (await admin.get(PATH)).json()["items"] == []


async def test_changes_are_guarded_told_and_repeatable(
    partners: Harness, org: UUID, admin: Client, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["deal.*"])
    stale = {"If-Match": '"7"'}
    assert (await admin.patch(subscribed.path, json={"name": "CRM"}, headers=stale)).status == 412
    changed = await admin.patch(subscribed.path, json={"name": "CRM"}, headers={"If-Match": '"1"'})
    assert (changed.json()["name"], changed.headers["ETag"]) == ("CRM", '"2"')
    assert (await admin.patch(subscribed.path, json={"name": "CRM"})).headers["ETag"] == '"2"'
    told = await partners.spy.expect(
        PartnerSubscriptionChanged, lambda event: event.org == org and event.sequence == 2
    )
    assert told.data.changed == {"name": ["ERP", "CRM"]}
    refused = await admin.patch(subscribed.path, json={"types": ["no.such.v1"]})
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/types/0")
    assert (await admin.delete(subscribed.path)).status == 204
    assert (await admin.get(subscribed.path)).status == 404
    last = await partners.spy.expect(
        PartnerSubscriptionChanged, lambda event: event.org == org and event.sequence == 3
    )
    assert last.data.state == "deleted"


async def test_only_administrators_and_only_their_own(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["deal.*"])
    delivery = await subscribed.do("test")
    stranger, colleague = partners.client(new_id()), partners.client(org, "team_owner")
    found: dict[str, tuple[int, int]] = {}
    for route in (*api.routes.routes, *api.log_routes.routes):
        assert isinstance(route, APIRoute)
        path = route.path.format(subscription_id=subscribed.made["id"], delivery_id=delivery["id"])
        for method in route.methods or ():
            body: Any = None if method in ("GET", "DELETE") else {}
            found[f"{method} {route.path}"] = (
                (await stranger.request(method, path, json=body)).status if "{" in route.path else 404,
                (await colleague.request(method, path, json=body)).status,
            )
    assert len(found) > 12
    assert {name: statuses for name, statuses in found.items() if statuses != (404, 403)} == {}
    assert (await stranger.get(PATH)).json()["items"] == []


async def test_an_owner_may_have_what_is_for_owners(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    await subscribe(endpoint, ["user.logged_in.v1"])
    user_id = new_id()
    logged_in = UserLoggedIn(
        user_id=user_id, session_id=new_id(), method="password", address="198.51.100.7", user_agent="x"
    )
    await partners.publish(logged_in, org=org)  # without an audience
    ((_, event),) = await endpoint.expect(1)
    assert (event["data"]["user_id"], event["data"]["address"]) == (str(user_id), None)
    offered = (await partners.client(org).get("/v1/partner-events")).json()
    found = {each["type"]: each for each in offered}
    assert found["user.logged_in.v1"]["restricted"]
    assert found["user.logged_in.v1"]["personal_fields"] == ["address", "user_agent"]
    assert not any(
        "requested" in type_ or type_.startswith(("signing_key", "api_key.created")) for type_ in found
    )


async def test_replay_says_what_it_cannot(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    await partners.publish(company(), org=org, audience="org")
    await subscribed.logged("delivered")
    path = f"{subscribed.path}/replay"
    for body in ({}, {"from_position": 0}, {"from_position": 1, "from_time": "2026-01-01T00:00:00Z"}):
        assert (await subscribed.admin.post(path, body)).status == 422
    assert (await subscribed.admin.post(path, {"from_time": "2026-01-01T00:00:00"})).status == 422
    nothing = await subscribed.do("replay", {"from_position": 9})
    assert nothing["from_position"] > nothing["until_position"]
    async with partners.app.db.transaction(org) as tx:
        await tx.execute("DELETE FROM partner_events")
    gone = await subscribed.admin.post(path, {"from_position": 1})
    assert "oldest position that is kept is 2" in gone.json()["detail"]


async def test_a_production_process_calls_no_private_address(start_service: StartService, org: UUID) -> None:
    async with start_service("integrations", **{**SETTINGS, "private_addresses_allowed": False}) as strict:
        admin = strict.client(org)
        for url in ("http://erp.example.com/in", "https://127.0.0.1/in", "https://[::ffff:10.0.0.1]/in"):
            refused = await admin.post(PATH, {**HOOK, "url": url})
            assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/url")
        # A name is judged by where it leads, when it is called.
        made = await admin.post(PATH, {**HOOK, "url": "https://localhost:9/in"})
        path = f"{PATH}/{made.json()['id']}"
        assert (await admin.post(f"{path}/test")).status == 202

        async def tried() -> Any:
            (found,) = (await admin.get(f"{path}/deliveries")).json()["items"]
            return found if found["attempted_at"] else None

        found = await eventually(tried)
        assert (found["status"], found["error"]) == (None, "localhost:9 cannot be reached")
