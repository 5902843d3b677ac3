"""An organization begins, is closed and opened again, and has a role of its own: over the whole fleet."""

import secrets
import time
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from flotilla.cli.orgs import decide
from flotilla.fleet import Fleet
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD, Person

from tests.e2e.conftest import AT_ONCE
from tests.e2e.filled import first, onboarded


@pytest.fixture
def nobody(fleet: Fleet, session: aiohttp.ClientSession) -> Person:
    """Somebody who has not signed in."""
    return Person(fleet.instance.public_url, session)


async def _founded(nobody: Person) -> Person:
    wanted = {
        "organization_name": "Harbour",
        "name": "Ada",
        "email": f"{secrets.token_hex(6)}@example.org",
        "password": PASSWORD,
        "time_zone": "Europe/Berlin",
    }
    return nobody.signed_in(await nobody.ok("POST", "/v1/sign-up", wanted))


async def test_everything_is_there_that_an_organization_begins_with(nobody: Person) -> None:
    owner = await _founded(nobody)

    await onboarded(owner)

    assert (await owner.ok("GET", "/v1/subscription"))["state"] == "trialing"
    assert (await first(owner, "/v1/pipelines"))["is_default"]
    inbox = await first(owner, "/v1/inboxes")
    assert (inbox["name"], inbox["time_zone"]) == ("Harbour", "Europe/Berlin")
    saga = await first(owner, "/v1/sagas/auth")
    assert [(step["name"], step["state"]) for step in saga["steps"]] == [
        ("subscription", "done"),
        ("pipeline", "done"),
        ("inbox", "done"),
    ]


async def test_a_closed_organization_is_refused_at_once(nobody: Person, fleet: Fleet) -> None:
    owner, other = await _founded(nobody), await _founded(nobody)
    await onboarded(owner)
    org = UUID((await owner.ok("GET", "/v1/organization"))["id"])

    async def answers(status: int) -> bool:
        answer = await owner.call("GET", "/v1/contacts")
        assert answer.status == status, answer.body
        return True

    await decide(fleet.instance, org, "Sends what nobody asked for")
    began = time.monotonic()
    await eventually(lambda: answers(403), seconds=10)

    assert time.monotonic() - began < AT_ONCE
    refused = await owner.call("GET", "/v1/contacts")
    assert refused.json()["type"] == "/problems/organization-suspended"
    assert (await other.call("GET", "/v1/contacts")).status == 200
    await decide(fleet.instance, org, None)
    await eventually(lambda: answers(200), seconds=10)


async def test_an_own_role_that_changes_counts_at_once_everywhere(nobody: Person) -> None:
    owner = await _founded(nobody)
    email = f"{secrets.token_hex(6)}@example.org"
    invited = await owner.ok("POST", "/v1/invitations", {"email": email, "role": "viewer"})
    joining = {"token": invited["token"], "name": "Max", "password": PASSWORD}
    member = nobody.signed_in(await nobody.ok("POST", "/v1/invitations/accept", joining))
    reads: dict[str, str] = {"contacts:read": "all", "deals:read": "all"}
    permissions = {**reads, **_viewers(await owner.ok("GET", "/v1/roles"))}
    role = await owner.ok("POST", "/v1/roles", {"name": "Reader", "permissions": permissions})
    await owner.ok("PATCH", f"/v1/users/{member.user['id']}", {"role_id": role["id"]})
    contact = {"name": "Iryna"}
    assert (await member.call("POST", "/v1/contacts", contact)).status == 403
    wider = {"permissions": {**permissions, "contacts:write": "all"}}

    await owner.ok("PATCH", f"/v1/roles/{role['id']}", wider)
    began = time.monotonic()

    async def may() -> bool:
        answer = await member.call("POST", "/v1/contacts", contact)
        assert answer.status == 201, answer.body
        return True

    await eventually(may, seconds=10)
    assert time.monotonic() - began < AT_ONCE
    assert (await member.call("GET", "/v1/deals")).status == 200
    await owner.ok("PATCH", f"/v1/roles/{role['id']}", {"permissions": reads})

    async def signed_out() -> bool:
        return (await member.call("GET", "/v1/deals")).status == 401

    await eventually(signed_out, seconds=10)
    again = nobody.signed_in(await nobody.ok("POST", "/v1/sign-in", {"email": email, "password": PASSWORD}))
    assert (await again.call("GET", "/v1/deals")).status == 200
    assert (await again.call("GET", "/v1/tasks")).status == 403


def _viewers(roles: dict[str, Any]) -> dict[str, str]:
    """What a viewer may: who is given the role loses nothing."""
    viewer = next(each for each in roles["items"] if each["name"] == "viewer")
    return dict.fromkeys(viewer["permissions"], "all")
