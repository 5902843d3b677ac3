"""Rules tried on the archive: what is asked of it, what its stretches come to, whichever way they come."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
import pytest
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events.analytics import ArchiveReadFailed, ArchiveReadFinished, ArchiveReadRequested
from flotilla.events.crm import TaskRequested
from flotilla.ids import new_id
from flotilla.replay import wire
from flotilla.replay.wire import Stretch
from flotilla.testing import Harness, eventually

from services.automation.tests.conftest import CREATE_TASK, ON_TELEGRAM, received

TAG: dict[str, Any] = {"type": "tag_contact", "add": ["vip"]}


async def begun(automation: Harness, org: UUID, **fields: Any) -> str:
    body = {"trigger": "message.received.v1", "condition": ON_TELEGRAM, "actions": [TAG]} | fields
    answer = await automation.client(org).post("/v1/rules/backtests", body)
    assert (answer.status, answer.json()["state"]) == (202, "reading"), answer.json()
    return str(answer.json()["id"])


async def stretch(
    automation: Harness, org: UUID, id_: str, after: int, upto: int, events: Sequence[tuple[int, Any]] = ()
) -> None:
    """As analytics would send it."""
    raw = [
        msgspec.Raw(encode(data, org=org, sequence=1, cause=Cause.fresh(), region="eu").body)
        for _, data in events
    ]
    body = wire.encode(
        Stretch(id=UUID(id_), after=after, upto=upto, events=raw, positions=[at for at, _ in events])
    )
    async with await aio_pika.connect(automation.instance.amqp_url) as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(body), "automation.archive")


async def ends(automation: Harness, org: UUID, id_: str, position: int) -> None:
    fact = ArchiveReadFinished(request_id=UUID(id_), reading_id=UUID(id_), position=position)
    await automation.publish(fact, org=org)


async def found(automation: Harness, org: UUID, id_: str, **wanted: Any) -> dict[str, Any]:
    """Waits until it stands so: all of it."""

    async def so() -> dict[str, Any]:
        shown: dict[str, Any] = (await automation.client(org).get(f"/v1/rules/backtests/{id_}")).json()
        assert {name: shown[name] for name in wanted} == wanted, shown
        return shown

    return await eventually(so)


async def test_a_rule_is_tried_on_the_archive_and_nothing_is_asked_for(
    automation: Harness, org: UUID
) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    id_ = await begun(automation, org, since=since.isoformat())
    asked = await automation.spy.expect(ArchiveReadRequested, lambda event: event.org == org)
    assert (str(asked.data.reading_id), asked.data.queue) == (id_, "automation.archive")
    assert (asked.data.types, asked.data.since) == (("message.received.v1",), since)
    known, elsewhere, unknown = (
        received(contact_id=new_id()),
        received(channel="email"),
        received(contact_id=None),
    )
    first = [(3, known), (8, elsewhere)]
    await stretch(automation, org, id_, 0, 10, first)
    await stretch(automation, org, id_, 0, 10, first)  # sent again
    await stretch(automation, org, id_, 0, 25, [*first, (20, unknown)])  # and again, further
    await found(automation, org, id_, looked=3, state="reading")
    await ends(automation, org, id_, 25)
    shown = await found(automation, org, id_, state="done")
    assert (shown["matched"], shown["nearly"], shown["unfit"]) == (2, 1, 1)
    good, bad = shown["examples"]
    assert (good["actions"], good["unfit"]) == (["tag_contact"], None)
    assert bad["unfit"] == "data.contact_id is empty"
    await stretch(automation, org, id_, 25, 30, [(26, known)])  # it is over
    other = await begun(automation, org, actions=[CREATE_TASK])
    await ends(automation, org, other, 0)  # nothing of this type was ever archived
    await found(automation, org, other, state="done", looked=0)
    assert (await found(automation, org, id_))["looked"] == 3
    assert not automation.spy.of(TaskRequested, org)
    listed = (await automation.client(org).get("/v1/rules/backtests")).json()["items"]
    assert [each["id"] for each in listed] == [other, id_]


async def test_the_end_may_be_told_before_it_has_come(automation: Harness, org: UUID) -> None:
    id_ = await begun(automation, org)
    await ends(automation, new_id(), id_, 1)  # another organization's word
    await ends(automation, org, new_id().__str__(), 1)  # of another reading
    await ends(automation, org, id_, 40)

    async def told() -> bool:
        async with automation.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT target FROM backtests") == 40)

    await eventually(told)
    await found(automation, org, id_, state="reading")
    await stretch(automation, org, id_, 0, 40, [(40, received(contact_id=new_id()))])
    await found(automation, org, id_, state="done", matched=1)


async def test_one_at_a_time_and_what_fails_says_why(automation: Harness, org: UUID) -> None:
    id_ = await begun(automation, org)
    client = automation.client(org)
    body = {"trigger": "message.received.v1", "actions": [TAG]}
    assert (await client.post("/v1/rules/backtests", body)).status == 409
    failed = ArchiveReadFailed(
        request_id=UUID(id_), reading_id=UUID(id_), reason="the archive cannot be read"
    )
    await automation.publish(failed, org=org)
    await found(automation, org, id_, state="failed", reason="the archive cannot be read")
    late = await begun(automation, org)
    await automation.app.db.execute("UPDATE jobs SET due_at = now() WHERE key = $1", late)
    automation.app.jobs_wake.set()
    await found(automation, org, late, state="failed", reason="the archive did not answer in time")
    stranger = automation.client(new_id())
    assert (await stranger.get(f"/v1/rules/backtests/{id_}")).status == 404
    assert (await stranger.get("/v1/rules/backtests")).json()["items"] == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"trigger": "nothing.happened.v1"}, "/trigger"), ({"actions": []}, "/actions")],
)
async def test_a_rule_that_cannot_be_meant_is_pointed_at(
    automation: Harness, org: UUID, fields: dict[str, Any], pointer: str
) -> None:
    body = {"trigger": "message.received.v1", "actions": [TAG]} | fields
    answer = await automation.client(org).post("/v1/rules/backtests", body)
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, pointer)
