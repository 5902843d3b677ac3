"""Time passes: rests, old deliveries, events past the window, partitions, a lane that is bound and unbound."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness, eventually
from flotilla_integrations.own import own
from flotilla_integrations.partners import workers

from services.integrations.tests.partners.conftest import Endpoint, Subscribe, company

REST = """
INSERT INTO partner_health (organization_id, subscription_id, failures, failing_since, rest_until)
VALUES ($1, $2, 3, now(), now() + interval '1 hour')
ON CONFLICT (organization_id, subscription_id) DO UPDATE
SET failures = 3, failing_since = now(), rest_until = excluded.rest_until"""
TURN_DUE = "SELECT due_at FROM jobs WHERE kind = 'partner.turn' AND key = $1"


async def test_new_events_wake_nobody_who_rests(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    async with partners.app.db.transaction(org) as tx:
        await tx.execute(REST, org, UUID(subscribed.made["id"]))
    for count in range(1, 4):
        await partners.publish(company(), org=org, audience="org")
        await subscribed.logged("waiting", count)

    async def put_off() -> bool:
        due_at = await partners.app.db.fetchval(TURN_DUE, subscribed.made["id"])
        return bool(due_at and due_at > datetime.now(UTC) + timedelta(minutes=50))

    await eventually(put_off)
    assert endpoint.got == []
    # Whoever changes it, because the endpoint is mended, need not wait.
    assert (await subscribed.admin.patch(subscribed.path, json={"name": "CRM"})).status == 200
    await subscribed.logged("delivered", 3)


async def test_what_is_old_goes(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    for _ in range(2):
        await partners.publish(company(), org=org, audience="org")
    await subscribed.logged("delivered", 2)
    async with partners.app.db.transaction(org) as tx:
        await tx.execute(
            "UPDATE partner_deliveries SET made_at = now() - interval '31 days' WHERE position = 1"
        )
        await tx.execute("UPDATE partner_events SET kept_on = current_date - 9 WHERE position = 1")
    await workers.sweep.run(partners.app)
    assert [each["position"] for each in await subscribed.log()] == [2]
    window = (await subscribed.admin.get("/v1/partner-subscriptions/window")).json()
    assert window == {"oldest_position": 2, "last_position": 2}


async def test_an_event_that_has_left_the_window_is_said_to_have(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    await subscribed.do("pause")
    await partners.publish(company(), org=org, audience="org")
    await subscribed.logged("waiting")
    async with partners.app.db.transaction(org) as tx:
        await tx.execute("DELETE FROM partner_events")
    await subscribed.do("resume")
    (expired,) = await subscribed.logged("expired")
    assert "left the window" in expired["error"]
    answer = await subscribed.admin.post(f"{subscribed.path}/deliveries/{expired['id']}/retry")
    assert answer.status == 409


async def test_the_lane_takes_what_somebody_wants_and_no_more(
    partners: Harness, org: UUID, admin: Client, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    db = partners.app.db
    wanted = "task.created.v1"  # which no other test wants: subscriptions of others stay
    subscribed = await subscribe(endpoint, [wanted])
    assert wanted in await _bound(db)
    old = "UPDATE partner_bound_types SET wanted_at = now() - interval '1 hour'"
    await db.execute(old)
    await own(partners.app).partners.bound.settle()
    assert wanted in await _bound(db)
    assert (await admin.delete(subscribed.path)).status == 204

    async def unbound() -> bool:
        """Whoever heard of the subscription late may have bound it once more."""
        await db.execute(old)
        await own(partners.app).partners.bound.settle()
        return wanted not in await _bound(db)

    await eventually(unbound, what="the type that nobody wants is unbound")


async def _bound(db: Any) -> set[str]:
    return {row["type"] for row in await db.fetch("SELECT type FROM partner_bound_types")}
