"""Webhooks: signed, tried again, given up, delivered again; by a real endpoint that verifies them."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from flotilla.events.integrations import PartnerSubscriptionChanged
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from standardwebhooks import Webhook

from services.integrations.tests.partners.conftest import (
    HANG,
    RETRIES,
    Endpoint,
    Subscribe,
    company,
    message,
)


async def test_an_event_arrives_signed_and_whole(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    assert subscribed.made["secret"].startswith("whsec_")
    assert "secret" not in await subscribed.read()
    sent = company()
    event_id = await partners.publish(sent, org=org, audience="org")
    ((id_, event),) = await endpoint.expect(1)
    assert (id_, event["id"], event["type"]) == (str(event_id), str(event_id), "company.created.v1")
    assert event["data"] == msgspec.to_builtins(sent)
    assert endpoint.headers[0]["flotilla-position"] == "1"
    assert endpoint.headers[0]["Content-Type"] == "application/cloudevents+json"
    (logged,) = await subscribed.logged("delivered")
    assert (logged["event_id"], logged["status"], logged["attempts"]) == (str(event_id), 204, 1)
    assert logged["milliseconds"] is not None
    assert (await subscribed.read())["delivered_at"] is not None


async def test_only_ones_own_and_only_what_was_asked_for(
    partners: Harness,
    org: UUID,
    endpoint: Endpoint,
    other_endpoint: Endpoint,
    subscribe: Subscribe,
) -> None:
    await subscribe(endpoint, ["company.created.v1"], filters={"data.name": ["Ink"]})
    stranger = new_id()
    theirs = await subscribe(other_endpoint, ["company.*"], by=partners.client(stranger))
    await partners.publish(company("Kite"), org=org, audience="org")
    await partners.publish(message(), org=org, audience="org")
    wanted = await partners.publish(company("Ink"), org=org, audience="org")
    foreign = await partners.publish(company("Ink"), org=stranger, audience="org")
    assert [id_ for id_, _ in await endpoint.expect(1)] == [str(wanted)]
    assert [id_ for id_, _ in await other_endpoint.expect(1)] == [str(foreign)]
    assert len(await theirs.logged("delivered")) == 1


async def test_what_is_personal_is_left_out(
    partners: Harness,
    org: UUID,
    endpoint: Endpoint,
    other_endpoint: Endpoint,
    subscribe: Subscribe,
) -> None:
    await subscribe(endpoint, ["message.received.v1"])
    await partners.publish(message("first"), org=org, audience="org")
    ((_, event),) = await endpoint.expect(1)
    assert (event["data"]["text"], event["data"]["sender"]) == (None, None)
    async with partners.app.db.transaction(org) as tx:  # nobody may have it, so it isn't even kept
        assert b"Olena" not in await tx.fetchval("SELECT body FROM partner_events")
    await subscribe(other_endpoint, ["message.received.v1"], personal_data=True)
    await partners.publish(message("second"), org=org, audience="org")
    ((_, whole),) = await other_endpoint.expect(1)
    assert (whole["data"]["text"], whole["data"]["sender"]["name"]) == ("second", "Olena")
    assert (await endpoint.expect(2))[1][1]["data"]["text"] is None


async def test_a_flaky_endpoint_gets_it_in_the_end(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    endpoint.answers = [500, HANG]
    event_id = await partners.publish(company(), org=org, audience="org")
    await endpoint.expect(3)
    assert endpoint.ids == [str(event_id)] * 3
    stamps = {headers["webhook-signature"] for headers in endpoint.headers}
    assert len(stamps) > 1  # each attempt has its time
    (logged,) = await subscribed.logged("delivered")
    assert (logged["attempts"], logged["due_at"], logged["error"]) == (3, None, None)
    assert (await subscribed.read())["failing_since"] is None


async def test_a_dead_endpoint_is_disabled_and_slows_no_other(
    partners: Harness,
    org: UUID,
    endpoint: Endpoint,
    other_endpoint: Endpoint,
    subscribe: Subscribe,
) -> None:
    dead = await subscribe(endpoint, ["company.*"])
    await subscribe(other_endpoint, ["company.*"])
    endpoint.usual = 500
    for _ in range(5):
        await partners.publish(company(), org=org, audience="org")
    assert len(set(await _ids(other_endpoint, 5))) == 5
    shown = await dead.becomes("disabled")
    assert "as often as the schedule says" in shown["reason"]
    told = await partners.spy.expect(
        PartnerSubscriptionChanged, lambda event: event.org == org and event.data.state == "disabled"
    )
    assert (told.data.changed["state"], told.envelope.audience) == (["active", "disabled"], None)
    (failed,) = await dead.logged("failed")
    assert (failed["status"], failed["attempts"], failed["response"]) == (500, 1 + len(RETRIES), "answer 500")

    endpoint.usual, endpoint.got = 204, []
    await dead.do("resume")
    await dead.logged("delivered", 4)
    retried = await dead.do(f"deliveries/{failed['id']}/retry")
    assert retried["event_id"] == failed["event_id"]
    await dead.logged("delivered", 5)
    assert len(set(endpoint.ids)) == 5


async def test_gone_is_taken_for_an_answer(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    endpoint.answers = [410]
    await partners.publish(company(), org=org, audience="org")
    assert "410" in (await subscribed.becomes("disabled"))["reason"]
    assert len(endpoint.got) == 1


async def test_what_happens_in_a_pause_comes_after_it(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    await subscribed.do("pause")
    event_id = await partners.publish(company(), org=org, audience="org")
    await subscribed.logged("waiting")
    assert (await subscribed.admin.post(f"{subscribed.path}/test")).status == 409
    assert endpoint.got == []
    await subscribed.do("resume")
    assert await _ids(endpoint, 1) == [str(event_id)]


async def test_replay_gives_the_same_events(
    partners: Harness, org: UUID, endpoint: Endpoint, other_endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    for number in range(4):
        await partners.publish(company(f"No {number}"), org=org, audience="org")
        await endpoint.expect(number + 1)
    first = dict(endpoint.got)
    by_position = {headers["flotilla-position"]: headers["webhook-id"] for headers in endpoint.headers}
    assert sorted(by_position) == ["1", "2", "3", "4"]

    endpoint.got = []
    asked = await subscribed.do("replay", {"from_position": 2})
    assert (asked["from_position"], asked["until_position"]) == (2, 4)
    await endpoint.expect(3)
    assert dict(endpoint.got) == {by_position[at]: first[by_position[at]] for at in ("2", "3", "4")}

    endpoint.got = []
    await subscribed.do("replay", {"from_time": subscribed.made["created_at"]})
    await endpoint.expect(4)
    assert dict(endpoint.got) == first

    late = await subscribe(other_endpoint, ["company.*"], filters={"data.name": ["No 3"]})
    await late.do("replay", {"from_position": 1})
    assert [event["data"]["name"] for _, event in await other_endpoint.expect(1)] == ["No 3"]
    window = (await subscribed.admin.get("/v1/partner-subscriptions/window")).json()
    assert window == {"oldest_position": 1, "last_position": 4}


async def test_an_event_that_is_delivered_twice_to_us_goes_out_once(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    once = company()
    event_id = await partners.publish(once, org=org, sequence=1, audience="org")
    await subscribed.logged("delivered")
    await partners.publish(once, org=org, sequence=1, audience="org", event_id=event_id)
    last = await partners.publish(company(), org=org, audience="org")
    await subscribed.logged("delivered", 2)
    assert sorted(endpoint.ids) == sorted([str(event_id), str(last)])
    positions = sorted(each["position"] for each in await subscribed.log())
    assert positions == [1, 2]


async def test_a_new_secret_and_the_old_one_for_a_day(
    partners: Harness, org: UUID, endpoint: Endpoint, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(endpoint, ["company.*"])
    old = endpoint.secret
    new = (await subscribed.do("rotate-secret"))["secret"]
    await subscribed.do("test")
    ((id_, event),) = await endpoint.expect(1)  # verified by the old one
    assert event["type"] == "partner.subscription.changed.v1"
    at = datetime.fromtimestamp(int(endpoint.headers[0]["webhook-timestamp"]), UTC)
    body = msgspec.json.encode(event).decode()
    said = endpoint.headers[0]["webhook-signature"].split()
    assert said == [Webhook(secret).sign(id_, at, body) for secret in (new, old)]


async def test_a_test_goes_to_one_alone_and_is_in_no_window(
    partners: Harness, endpoint: Endpoint, other_endpoint: Endpoint, subscribe: Subscribe
) -> None:
    one = await subscribe(endpoint, ["company.*", "partner.subscription.*"])
    await subscribe(other_endpoint, ["deal.*"])
    before = len(await eventually(lambda: one.log()))  # it was told of the other
    asked = await one.do("test")
    assert asked["position"] is None
    await endpoint.expect(before + 1)
    assert other_endpoint.got == []


async def _ids(endpoint: Endpoint, count: int) -> list[str]:
    return [id_ for id_, _ in await endpoint.expect(count)]
