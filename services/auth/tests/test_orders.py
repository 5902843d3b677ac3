"""Lists of people, teams, keys and invitations in every order that they offer."""

from flotilla.testing.orders import NAMES, check_orders
from flotilla_auth.testing import People, Person, fresh_email


async def test_every_order_of_every_list(people: People, owner: Person) -> None:
    for _ in range(3):
        await people.member(owner, "viewer")
    for name in NAMES:
        wanted = {
            "/v1/teams": {"name": name},
            "/v1/api-keys": {"name": name, "scopes": ["contacts:read"]},
            "/v1/oauth-clients": {"name": name, "scopes": ["contacts:read"]},
            "/v1/invitations": {"email": fresh_email(), "role": "viewer"},
        }
        for path, body in wanted.items():
            answer = await owner.client.post(path, body)
            assert answer.status == 201, answer.body
    assert len(await check_orders("auth", owner.client, {})) == 5
