"""Enrolments on real servers: to the end, replies, windows, redelivery, two replicas, pauses, suppression."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events.auth import OrganizationCreated
from flotilla.events.campaign import (
    ContactUnsubscribed,
    SequenceFinished,
    SequenceStarted,
    SequenceStepSent,
    SequenceStopped,
)
from flotilla.events.messaging import MessageRefused, MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated
from flotilla_campaign.service import service
from flotilla_campaign.store import people

from services.campaign.tests.conftest import (
    AGAIN,
    HELLO,
    SETTINGS,
    WAIT,
    Stands,
    Wish,
    come_due,
    enrolled,
    published,
    received,
    sent,
)

BRANCH: dict[str, Any] = {"type": "branch", "on": "field", "field": "plan", "equals": "pro"}


async def test_a_sequence_runs_to_its_end_and_explains_itself(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    steps = [HELLO, WAIT, {**BRANCH, "then": 3, "otherwise": 4}, AGAIN]
    id_ = await published(campaign, org, steps=steps)
    made = await enrolled(campaign, org, id_, fields={"name": "Zoë", "plan": "pro"})
    asked = await wish()
    assert (asked.data.text, str(asked.data.contact_id)) == ("Hello Zoë!", made["contact_id"])
    assert asked.envelope.source == "/flotilla/campaign"
    assert (asked.envelope.actor, asked.envelope.requestid) == ("service:campaign", asked.data.request_id)
    await campaign.publish(sent(asked), org=org)
    waiting = await stands(made["id"], phase="wait", step=1)
    due = datetime.fromisoformat(waiting["due_at"]) - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < due < timedelta(days=2, minutes=1)

    await come_due(campaign, org)
    second = await wish(1)
    await campaign.publish(sent(second), org=org)
    await campaign.publish(sent(second), org=org)  # again
    done = await stands(made["id"], state="finished")
    assert [(step["kind"], step["state"]) for step in done["steps"]] == [
        ("send", "done"),
        ("wait", "done"),
        ("branch", "done"),
        ("send", "done"),
    ]
    assert done["steps"][2]["reason"] == "plan equals: yes, on to 3"
    finished = await campaign.spy.expect(SequenceFinished, lambda event: event.org == org)
    assert str(finished.data.enrolment_id) == made["id"]
    assert len(campaign.spy.of(SequenceStarted, org)) == 1
    assert [event.data.step for event in campaign.spy.of(SequenceStepSent, org)] == [0, 3]
    assert len(campaign.spy.of(MessageRequested, org)) == 2
    async with campaign.app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT fields FROM enrolments") == {}


async def test_a_reply_stops_it(campaign: Harness, org: UUID, wish: Wish, stands: Stands) -> None:
    made = await enrolled(campaign, org, await published(campaign, org))
    await campaign.publish(sent(await wish()), org=org)
    await stands(made["id"], phase="wait")
    await campaign.publish(received(new_id()), org=org)  # somebody else's
    reply = received(UUID(made["conversation_id"]))
    event_id = new_id()
    await campaign.publish(reply, org=org, event_id=event_id)
    await campaign.publish(reply, org=org, event_id=event_id)  # delivered again
    stopped = await campaign.spy.expect(SequenceStopped, lambda event: event.org == org)
    assert (stopped.data.reason, stopped.data.step) == ("replied", 1)
    await stands(made["id"], state="stopped", reason="replied")
    await come_due(campaign, org)
    await enrolled(campaign, org, await published(campaign, org, name="Next"))
    await wish(1)  # the timer of the stopped one was due before this
    assert len(campaign.spy.of(MessageRequested, org)) == 2
    assert len(campaign.spy.of(SequenceStopped, org)) == 1


async def test_what_was_written_before_and_comes_late_is_no_reply(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    conversation_id = new_id()
    early = encode(received(conversation_id), org=org, sequence=1, cause=Cause.fresh(), region="eu")
    made = await enrolled(campaign, org, await published(campaign, org), conversation_id=str(conversation_id))
    answer = sent(await wish())
    await campaign._exchange.publish(aio_pika.Message(early.body, delivery_mode=2), early.type)
    await campaign.publish(answer, org=org)  # behind it in the same lane
    await stands(made["id"], state="active", phase="wait", replied_at=None)


async def test_a_reply_may_be_a_branch_instead(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    steps = [HELLO, WAIT, {"type": "branch", "on": "replied", "then": 4, "otherwise": 3}, AGAIN]
    made = await enrolled(campaign, org, await published(campaign, org, steps=steps, stop_on_reply=False))
    await campaign.publish(sent(await wish()), org=org)
    await stands(made["id"], phase="wait")
    await campaign.publish(received(UUID(made["conversation_id"])), org=org)

    async def noted() -> bool:
        found = (await campaign.client(org).get(f"/v1/enrolments/{made['id']}")).json()
        return found["replied_at"] is not None

    await eventually(noted)
    await come_due(campaign, org)
    done = await stands(made["id"], state="finished")
    assert done["steps"][-1]["reason"] == "replied: yes, on to 4"


async def test_a_refused_message_stops_it(campaign: Harness, org: UUID, wish: Wish, stands: Stands) -> None:
    made = await enrolled(campaign, org, await published(campaign, org))
    asked = await wish()
    refused = MessageRefused(
        request_id=asked.data.request_id,
        conversation_id=asked.data.conversation_id,
        reason="unknown_conversation",
    )
    await campaign.publish(refused, org=org)
    found = await stands(made["id"], state="stopped", reason="refused: unknown_conversation")
    assert found["steps"][0]["state"] == "failed"


async def test_a_window_is_of_the_persons_zone_else_of_the_organizations(
    campaign: Harness, org: UUID, stands: Stands
) -> None:
    organization = OrganizationCreated(
        organization_id=org,
        name="Acme",
        slug="acme",
        locale="en",
        time_zone="Pacific/Kiritimati",
        currency="EUR",
        region="eu",
        state="active",
    )
    await campaign.publish(organization, org=org)

    async def known() -> bool:
        async with campaign.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM organization_zones"))

    await eventually(known)
    day = (datetime.now(UTC) + timedelta(days=3)).isoweekday()
    window = {"opens": "09:00", "closes": "17:00", "days": [day]}
    id_ = await published(campaign, org, steps=[{**HELLO, "window": window}])
    theirs = await enrolled(campaign, org, id_, time_zone="Etc/GMT+3")
    ours = await enrolled(campaign, org, id_)
    opens = {}
    for each in (theirs, ours):
        found = await stands(each["id"], phase="window", state="active")
        opens[each["id"]] = datetime.fromisoformat(found["due_at"]).astimezone(UTC)
        assert found["steps"] == []
    assert opens[theirs["id"]].hour == 12
    assert opens[ours["id"]].hour == 19  # fourteen hours east of Greenwich
    assert not campaign.spy.of(MessageRequested, org)


async def test_paused_begins_nothing_until_it_is_resumed(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    made = await enrolled(campaign, org, await published(campaign, org, steps=[HELLO, AGAIN]))
    asked = await wish()
    client = campaign.client(org)
    assert (await client.post(f"/v1/enrolments/{made['id']}/pause")).json()["state"] == "paused"
    await campaign.publish(sent(asked), org=org)
    await stands(made["id"], state="paused", step=1, phase="due")
    await come_due(campaign, org)
    assert len(campaign.spy.of(MessageRequested, org)) == 1
    resumed = await client.post(f"/v1/enrolments/{made['id']}/resume")
    assert (resumed.status, resumed.json()["state"]) == (200, "active")
    assert (await wish(1)).data.text == "Still there?"


async def test_who_unsubscribes_is_sent_nothing(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    id_ = await published(campaign, org)
    made = await enrolled(campaign, org, id_)
    await campaign.publish(sent(await wish()), org=org)
    await stands(made["id"], phase="wait")
    client = campaign.client(org)
    entered = await client.post("/v1/suppressions", {"contact_id": made["contact_id"]})
    assert (entered.status, entered.json()["reason"]) == (201, "requested")
    again = await client.post("/v1/suppressions", {"contact_id": made["contact_id"]})
    assert again.json() == entered.json()
    await stands(made["id"], state="stopped", reason="unsubscribed")
    body = {name: made[name] for name in ("contact_id", "conversation_id")}
    assert (await client.post(f"/v1/sequences/{id_}/enrolments", body)).status == 409
    await campaign.spy.expect(ContactUnsubscribed, lambda event: event.org == org)
    assert len(campaign.spy.of(ContactUnsubscribed, org)) == 1


async def test_stop_means_stop_everywhere_and_later_too(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    first = await enrolled(campaign, org, await published(campaign, org, stop_on_reply=False))
    who = {name: first[name] for name in ("contact_id", "conversation_id")}
    other = await enrolled(campaign, org, await published(campaign, org, name="Other"), **who)
    late = await enrolled(campaign, org, await published(campaign, org, name="Late"))
    await campaign.client(org).post(f"/v1/enrolments/{late['id']}/stop")
    for made in (first, late):
        await campaign.publish(received(UUID(made["conversation_id"]), "Стоп!"), org=org)
    for made in (first, other):
        await stands(made["id"], state="stopped", reason="unsubscribed")
    assert (await stands(late["id"], state="stopped"))["reason"] == "stopped"

    async def both() -> bool:
        found = (await campaign.client(org).get("/v1/suppressions")).json()["items"]
        return {each["contact_id"] for each in found} == {first["contact_id"], late["contact_id"]}

    await eventually(both)


async def test_two_replicas_send_a_step_once(campaign: Harness, org: UUID) -> None:
    async with running(service, instance=campaign.instance, **SETTINGS) as other:
        id_ = await published(campaign, org, steps=[WAIT, HELLO])
        persons = [await enrolled(campaign, org, id_) for _ in range(20)]

        async def all_wait() -> bool:
            found = await campaign.client(org).get(f"/v1/sequences/{id_}/enrolments?limit=50")
            return all(each["phase"] == "wait" for each in found.json()["items"])

        await eventually(all_wait)
        # Each timer twice, so that replicas have the same step in hand at the same time.
        await campaign.app.db.execute(
            "INSERT INTO jobs (id, organization_id, kind, key, payload, cause, due_at)"
            " SELECT gen_random_uuid(), organization_id, kind, key || ' again', payload, cause, due_at FROM jobs"
            " WHERE organization_id = $1",
            org,
        )
        await come_due(campaign, org)
        other.app.jobs_wake.set()

        async def all_asked() -> bool:
            return len(campaign.spy.of(MessageRequested, org)) >= len(persons)

        await eventually(all_asked)
        for event in campaign.spy.of(MessageRequested, org):
            await campaign.publish(sent(event), org=org)

        async def all_done() -> bool:
            return len(campaign.spy.of(SequenceFinished, org)) == len(persons)

        await eventually(all_done)
        requests = [event.data.request_id for event in campaign.spy.of(MessageRequested, org)]
        assert len(requests) == len(set(requests)) == len(persons)


async def test_nothing_is_sent_after_a_suppression_was_committed(
    campaign: Harness, org: UUID, stands: Stands
) -> None:
    made = await enrolled(campaign, org, await published(campaign, org, steps=[WAIT, HELLO]))
    await stands(made["id"], phase="wait")
    contact_id = UUID(made["contact_id"])
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = $1"
    async with campaign.app.db.transaction(org) as tx:
        database = await tx.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
        await people.hold(tx, [(org, contact_id)])
        await people.suppress(tx, {(org, contact_id): "requested"})
        await come_due(campaign, org)

        async def the_send_waits() -> bool:
            return bool(await campaign.app.db.fetchval(waits, database))

        await eventually(the_send_waits)
    await stands(made["id"], state="stopped", reason="unsubscribed")
    assert not campaign.spy.of(MessageRequested, org)


async def test_a_step_in_the_ledger_is_not_sent_again(campaign: Harness, org: UUID, stands: Stands) -> None:
    made = await enrolled(campaign, org, await published(campaign, org, steps=[WAIT, HELLO]))
    await stands(made["id"], phase="wait")
    async with campaign.app.db.transaction(org) as tx:
        await tx.execute(
            "INSERT INTO effects (organization_id, enrolment_id, step, kind, request_id, state)"
            " VALUES ($1, $2, 1, 'send', $3, 'asked')",
            org,
            UUID(made["id"]),
            new_id(),
        )
    await come_due(campaign, org)
    await stands(made["id"], phase="answer")
    assert not campaign.spy.of(MessageRequested, org)


async def test_the_channels_silence_ends_it_and_a_restart_does_not(org: UUID) -> None:
    async with isolated(service, "restart") as instance:
        async with running(service, instance=instance) as first:
            made = await enrolled(first, org, await published(first, org))
            await first.spy.expect(MessageRequested)
        async with running(service, instance=instance) as second:
            await come_due(second, org)
            stopped = await second.spy.expect(SequenceStopped)
            assert (stopped.data.reason, str(stopped.data.enrolment_id)) == ("unanswered", made["id"])


async def test_messages_come_only_while_somebody_is_listened_for(org: UUID) -> None:
    async with (
        isolated(service, "bound") as instance,
        running(service, instance=instance, unbind_after_seconds=0.0, listen_seconds=0.0) as alone,
    ):
        db = alone.app.db

        async def bound() -> bool:
            await alone.app.own.settle()
            return bool(await db.fetchval("SELECT count(*) FROM bound"))

        assert not await bound()
        made = await enrolled(alone, org, await published(alone, org, steps=[WAIT]))
        assert await bound()
        await alone.publish(received(UUID(made["conversation_id"])), org=org)
        await alone.spy.expect(SequenceStopped)

        async def let_go() -> bool:
            return not await bound()

        await eventually(let_go)
        # It is heard again with the next one, from before the answer.
        made = await enrolled(alone, org, made["sequence_id"])
        await alone.publish(received(UUID(made["conversation_id"])), org=org)
        await alone.spy.expect(SequenceStopped, lambda event: str(event.data.enrolment_id) == made["id"])
