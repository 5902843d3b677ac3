"""Feature flags: an organization's own, told to all services, and on for the same people each time."""

from flotilla.cli.flags import say
from flotilla.events.privacy import FeatureFlagChanged
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Harness, eventually
from flotilla_auth.testing import People, Person

QUICK = "quick-replies"


async def test_a_flag_is_made_changed_and_deleted(auth: Harness, owner: Person) -> None:
    made = await owner.client.post("/v1/feature-flags", {"key": QUICK, "percentage": 40})
    assert made.status == 201, made.body
    path = made.headers["Location"]
    told = await auth.spy.expect(FeatureFlagChanged, lambda event: event.org == owner.org)
    assert (told.data.key, told.data.enabled, told.data.percentage, told.data.environment) == (
        QUICK,
        True,
        40,
        "any",
    )

    twice = await owner.client.post("/v1/feature-flags", {"key": QUICK})
    assert twice.status == 409
    stale = await owner.client.patch(path, {"enabled": False}, headers={"If-Match": '"7"'})
    assert stale.status == 412
    off = await owner.client.patch(path, {"enabled": False}, headers={"If-Match": made.headers["ETag"]})
    assert (off.status, off.json()["enabled"], off.json()["percentage"]) == (200, False, 40)
    changed = await auth.spy.expect(
        FeatureFlagChanged, lambda event: event.org == owner.org and event.sequence == 2
    )
    assert changed.data.changed == {"enabled": [True, False]}

    assert (await owner.client.delete(path)).status == 204
    gone = await auth.spy.expect(
        FeatureFlagChanged, lambda event: event.org == owner.org and event.sequence == 3
    )
    assert gone.data.state == "deleted"
    assert (await owner.client.get(path)).status == 404
    assert (await owner.client.get("/v1/feature-flags")).json()["items"] == []


async def test_only_administrators_say_which_features_are_on(people: People, owner: Person) -> None:
    member = await people.member(owner, "team_owner")
    assert (await member.client.post("/v1/feature-flags", {"key": QUICK})).status == 403
    assert (await member.client.get("/v1/feature-flags")).status == 403


async def test_bad_flags_are_refused(owner: Person) -> None:
    for body in (
        {"key": "Not A Key"},
        {"key": QUICK, "percentage": 101},
        {"key": QUICK, "environment": "moon"},
    ):
        assert (await owner.client.post("/v1/feature-flags", body)).status == 422


async def _seen(person: Person) -> dict[str, bool]:
    found: dict[str, bool] = (await person.client.get("/v1/features/auth")).json()["features"]
    return found


async def test_an_organization_has_its_own_word_before_the_platforms(auth: Harness, owner: Person) -> None:
    key = f"beta-{new_id().hex[-8:]}"
    await say(auth.instance, PLATFORM_ORG, key, "any", enabled=True)

    async def on() -> bool:
        return (await _seen(owner)).get(key) is True

    await eventually(on, what="the platform's flag")
    await owner.client.post("/v1/feature-flags", {"key": key, "enabled": False})

    async def off() -> bool:
        return (await _seen(owner)).get(key) is False

    await eventually(off, what="the organization's own")


async def test_an_operator_changes_and_deletes_the_platforms_flag(auth: Harness, owner: Person) -> None:
    key = f"beta-{new_id().hex[-8:]}"
    await say(auth.instance, PLATFORM_ORG, key, "any", enabled=True)
    await auth.spy.expect(FeatureFlagChanged, lambda event: event.data.key == key and event.data.enabled)
    await say(auth.instance, PLATFORM_ORG, key, "any", enabled=False, percentage=10)
    await auth.spy.expect(
        FeatureFlagChanged, lambda event: event.data.key == key and event.data.percentage == 10
    )
    await say(auth.instance, PLATFORM_ORG, key, "any", enabled=False, deleted=True)
    await auth.spy.expect(
        FeatureFlagChanged, lambda event: event.data.key == key and event.data.state == "deleted"
    )

    async def unknown() -> bool:
        return key not in await _seen(owner)

    await eventually(unknown)
