"""Programs with API keys over the whole fleet: what they may, how often, and that a revoked key is refused at once."""

import time
from typing import Any

from flotilla.testing import eventually
from flotilla.testing.people import Person

from tests.e2e.conftest import AT_ONCE, NewOffice

SEQUENCE = {"name": "Welcome", "steps": []}


async def _program(owner: Person, *scopes: str, **more: int) -> tuple[Person, dict[str, Any]]:
    made = await owner.ok("POST", "/v1/api-keys", {"name": "ERP", "scopes": list(scopes), **more})
    program = Person(owner.base_url, owner.session, {"X-Api-Key": made["key"]})

    async def known() -> bool:
        return (await program.call("GET", "/v1/contacts")).status != 401

    await eventually(known, what="the gateway knows the key")
    return program, made


async def _policy(program: Person) -> str | None:
    answer = await program.call("GET", "/v1/contacts")
    return {name.lower(): value for name, value in answer.headers.items()}.get("ratelimit-policy")


async def test_a_program_may_what_its_key_says_until_it_is_revoked(new_office: NewOffice) -> None:
    owner = (await new_office("Harbour")).owner
    program, made = await _program(owner, "contacts:read", "contacts:write", requests_per_hour=50)
    policy = await _policy(program) or ""
    assert policy.endswith(', "key";q=50;w=3600'), policy
    refused = await program.call("GET", "/v1/deals")
    assert (refused.status, refused.json()["type"]) == (403, "/problems/forbidden")
    bearer = Person(owner.base_url, owner.session, {"Authorization": f"Bearer {made['key']}"})
    await bearer.ok("GET", "/v1/contacts")
    assert (
        await bearer.call("POST", "/v1/api-keys", {"name": "x", "scopes": ["contacts:read"]})
    ).status == 403

    began = time.monotonic()
    await owner.ok("DELETE", f"/v1/api-keys/{made['id']}")

    async def gone() -> bool:
        return (await program.call("GET", "/v1/contacts")).status == 401

    await eventually(gone)
    assert time.monotonic() - began < AT_ONCE


async def test_the_plan_says_how_often_programs_ask_and_what_is_to_be_had(new_office: NewOffice) -> None:
    owner = (await new_office("Harbour")).owner
    program, _ = await _program(owner, "contacts:read")

    async def allowed(policy: str) -> None:
        async def told() -> bool:
            return await _policy(program) == policy

        await eventually(told, what=policy)

    await allowed('"api";q=1000;w=3600')
    await owner.ok("PUT", "/v1/subscription", {"plan": "free"})
    await allowed('"api";q=100;w=3600')
    assert (await owner.call("GET", "/v1/sequences")).status == 200, "what is there stays"

    async def closed() -> bool:
        answer = await owner.call("POST", "/v1/sequences", SEQUENCE)
        assert answer.json()["type"] == "/problems/feature-not-included", answer.body
        return answer.status == 403

    await eventually(closed)
    await owner.ok("PUT", "/v1/subscription", {"plan": "enterprise"})
    await allowed('"api";q=10000;w=3600')
