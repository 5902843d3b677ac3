"""Two replicas at once, and people who change subscriptions meanwhile: nothing lost, nothing numbered twice."""

import asyncio
from uuid import UUID

from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

from services.integrations.tests.partners.conftest import SETTINGS, Endpoint, Subscribe, company

EVENTS = 150


async def test_two_replicas_number_without_gaps_and_deliver_each_once(
    partners: Harness, start_service: StartService, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    async with start_service("integrations", instance=partners.instance, **SETTINGS):
        subscribed = await subscribe(endpoint, ["company.*"])
        sent = await asyncio.gather(
            *(partners.publish(company(), org=org, audience="org") for _ in range(EVENTS))
        )
        await endpoint.expect(EVENTS)
        await _all_delivered(subscribed.admin.org, partners)
    assert sorted(endpoint.ids) == sorted(map(str, sent))
    positions = sorted(int(headers["flotilla-position"]) for headers in endpoint.headers)
    assert positions == list(range(1, EVENTS + 1))


async def test_pausing_and_resuming_all_the_while_loses_nothing(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    done = asyncio.Event()
    statuses: set[int] = set()

    async def meddle() -> None:
        while not done.is_set():
            for what in ("pause", "resume", "replay"):
                body = {"from_position": 1} if what == "replay" else None
                answer = await subscribed.admin.post(f"{subscribed.path}/{what}", body)
                statuses.add(answer.status)

    meddling = asyncio.create_task(meddle())
    sent = {str(await partners.publish(company(), org=org, audience="org")) for _ in range(30)}

    async def all_came() -> bool:
        return sent <= set(endpoint.ids)

    await eventually(all_came, seconds=40)
    done.set()
    await meddling
    assert statuses == {200, 202}
    await subscribed.do("resume")
    await _all_delivered(org, partners)
    assert set(endpoint.ids) == sent


async def _all_delivered(org: UUID, partners: Harness) -> None:
    async def none_waits() -> bool:
        async with partners.app.db.transaction(org) as tx:
            sql = "SELECT count(*) FROM partner_deliveries WHERE state <> 'delivered'"
            return bool(await tx.fetchval(sql) == 0)

    await eventually(none_waits, seconds=40)
