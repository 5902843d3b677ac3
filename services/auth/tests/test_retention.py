"""How long an organization keeps what: within limits, said by an owner, told to all services."""

from typing import Any

import pytest
from flotilla.events.privacy import RetentionChanged
from flotilla.privacy.kinds import KINDS
from flotilla.testing import Harness, eventually
from flotilla_auth import retention
from flotilla_auth.testing import People, Person

PATH = "/v1/retention"


def _kind(shown: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in shown["kinds"] if each["kind"] == name)
    return found


async def test_an_owner_decides_and_all_services_are_told(auth: Harness, owner: Person) -> None:
    before = await owner.client.get(PATH)
    assert _kind(before.json(), "messages")["days"] is None
    assert _kind(before.json(), "calls")["days"] == KINDS["calls"].default

    etag = {"If-Match": before.headers["ETag"]}
    changed = await owner.client.patch(PATH, {"periods": {"messages": 365, "notes": None}}, headers=etag)
    assert changed.status == 200, changed.body
    messages = _kind(changed.json(), "messages")
    assert (messages["days"], messages["decided"]) == (365, True)
    again = await owner.client.patch(PATH, {"periods": {}}, headers=etag)
    assert again.status == 412
    told = await auth.spy.expect(
        RetentionChanged, lambda event: event.org == owner.org and event.data.periods != {}
    )
    assert told.data.periods == {"messages": 365, "notes": None}
    assert told.data.changed["periods"] == [{}, {"messages": 365, "notes": None}]
    assert told.envelope.actor == f"user:{owner.id}"

    held = await owner.client.patch(PATH, {"held": ["messages"], "reason": "7 O 12/26"})
    assert _kind(held.json(), "messages")["held"] is True
    assert _kind(held.json(), "messages")["days"] == 365, "what is left out stays"
    assert _kind(held.json(), "calls")["held"] is False


@pytest.mark.parametrize(
    ("periods", "pointer"),
    [
        ({"invoices": 365}, "/periods/invoices"),
        ({"parked_events": 365}, "/periods/parked_events"),
        ({"parked_events": None}, "/periods/parked_events"),
        ({"idempotency_keys": 2}, "/periods/idempotency_keys"),
        ({"parrots": 2}, "/periods/parrots"),
    ],
)
async def test_limits_of_law_and_of_the_platform_hold(
    owner: Person, periods: dict[str, int | None], pointer: str
) -> None:
    refused = await owner.client.patch(PATH, {"periods": periods})
    assert refused.status == 422, refused.body
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]


async def test_only_an_owner_decides_and_has_just_signed_in(
    auth: Harness, people: People, owner: Person
) -> None:
    admin = await people.member(owner, "admin")
    assert (await admin.client.get(PATH)).status == 200
    assert (await admin.client.patch(PATH, {"held": ["all"]})).status == 403
    member = await people.member(owner, "team_owner")
    assert (await member.client.get(PATH)).status == 403
    stale = auth.client(owner.org, "owner", owner.id, owner.session, authenticated_seconds_ago=3600)
    assert (await stale.patch(PATH, {"held": ["all"]})).status == 401
    assert (await owner.client.patch(PATH, {"held": ["parrots"]})).status == 422


async def test_services_hear_of_every_organization_once(auth: Harness, people: People, owner: Person) -> None:
    other = await people.owner()
    await retention.announce(auth.app)
    for org in (owner.org, other.org):
        wanted = org
        told = await auth.spy.expect(RetentionChanged, lambda event: event.org == wanted)  # noqa: B023
        assert (told.data.periods, told.data.held) == ({}, [])

        async def known(org: Any = org) -> bool:
            return bool(
                await auth.app.db.fetchval("SELECT true FROM retained WHERE organization_id = $1", org)
            )

        await eventually(known, what="auth has heard itself")
    heard = len(auth.spy.of(RetentionChanged, owner.org))
    await retention.announce(auth.app)
    assert len(auth.spy.of(RetentionChanged, owner.org)) == heard
