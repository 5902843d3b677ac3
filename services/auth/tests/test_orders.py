"""Lists of people, teams, keys and all else of an organization in every order that they offer."""

from flotilla.ids import new_id
from flotilla.testing.orders import NAMES, check_orders
from flotilla_auth.testing import People, Person, fresh_email

CONTACTS = tuple(str(new_id()) for _ in range(4))


async def _post(person: Person, path: str, body: object) -> str:
    answer = await person.client.post(path, body)
    assert answer.status in (200, 201, 202), (path, answer.body)
    return str(answer.json().get("id"))


async def _named(owner: Person) -> None:
    for name in NAMES:
        await _post(owner, "/v1/teams", {"name": name})
        await _post(owner, "/v1/api-keys", {"name": name, "scopes": ["contacts:read"]})
        await _post(owner, "/v1/oauth-clients", {"name": name, "scopes": ["contacts:read"]})
        await _post(owner, "/v1/invitations", {"email": fresh_email(), "role": "viewer"})
    for number, environment in enumerate(("production", "any", "staging", "any", "any")):
        await _post(owner, "/v1/feature-flags", {"key": f"key-{3 - number // 2}", "environment": environment})
    for name in ("Zander", "Birch", "alder", "Ünal"):
        await _post(owner, "/v1/roles", {"name": name, "permissions": {"contacts:read": "all"}})


async def _team(owner: Person, members: list[Person]) -> str:
    team = await _post(owner, "/v1/teams", {"name": "Support"})
    for person in members:
        assert (await person.client.put("/v1/me/presence", {"status": "online"})).status == 200
        put = await owner.client.put(f"/v1/teams/{team}/members/{person.id}", {"capacity": 9})
        assert put.status == 200, put.body
    for contact in CONTACTS:
        await _post(owner, f"/v1/teams/{team}/assignments", {"contact_id": contact})
    return team


async def _granted(giver: Person, to: Person) -> None:
    slug = (await to.client.get("/v1/organization")).json()["slug"]
    for _ in range(4):
        wanted = {"organization_slug": slug, "permissions": ["contacts:read"]}
        await _post(giver, "/v1/organization/grants", wanted)


async def test_every_order_of_every_list(people: People, owner: Person) -> None:
    other = await people.owner(organization="Kite")
    members = [await people.member(owner, "team_member") for _ in range(3)]
    for contact in CONTACTS:
        invited = {"email": fresh_email(), "role": "client", "contact_id": contact}
        token = await people.token_of(await owner.client.post("/v1/invitations", invited))
        assert (await people.accept(token)).status == 201
        assert (await people.sign_in(owner.email)).status == 200
        await _post(owner, "/v1/erasures", {"contact_id": str(new_id())})
        await _post(owner, "/v1/exports", {"contact_id": str(new_id())})
    await _named(owner)
    await _granted(owner, other)
    await _granted(other, owner)
    team = await _team(owner, [owner, *members])
    walked = await check_orders("auth", owner.client, {"team_id": team})
    assert set(walked) == {
        *("list_users", "list_teams", "list_members", "list_assignments", "list_presences", "list_clients"),
        *("list_api_keys", "list_oauth_clients", "list_invitations", "list_sessions", "list_roles"),
        *("list_feature_flags", "list_grants", "list_received_grants", "list_erasures", "list_exports"),
    }
