"""From an event on the bus to the people who may see it, over two replicas, WebSocket and server-sent events."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.ids import new_id
from flotilla.testing import Harness
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.websocket.tests.listening import Listener, SocketListener, contact, show, socket_of, stream_of


async def test_an_event_reaches_a_person_on_either_replica(live: Harness, other: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as here, socket_of(other.client(org)) as there:
        shown = [await show(live, org, name=f"Person {number}") for number in range(20)]
        for event_id in shown:
            message = await here.expect_event(event_id)
            assert message == await there.expect_event(event_id)
            assert (message["event"]["type"], message["event"]["id"]) == ("contact.created.v1", str(event_id))
        assert len(here.events) == len(there.events) == 20


async def test_the_greeting_says_how_the_connection_is_kept(live: Harness, org: UUID) -> None:
    session_id = new_id()
    async with socket_of(live.client(org, session_id=session_id)) as me:
        hello = me.messages[0]
        assert (hello["type"], hello["session"], hello["heartbeat_seconds"]) == (
            "hello",
            str(session_id),
            25.0,
        )
        assert me.socket.subprotocol == "flotilla.v1"


async def test_everybody_sees_what_is_for_them(live: Harness, org: UUID) -> None:
    me = new_id()
    async with (
        socket_of(live.client(org, "owner")) as owner,
        socket_of(live.client(org, "team_member", user_id=me)) as member,
        socket_of(live.client(org, "viewer")) as viewer,
        socket_of(live.client(org, "client", user_id=me)) as customer,
        socket_of(live.client(new_id(), "owner")) as foreigner,
    ):
        for_all = await show(live, org, "org")
        for_me = await show(live, org, f"user:{me}")
        for_one = await show(live, org, f"user:{new_id()}")
        for_nobody = await show(live, org, None)
        for_team = await show(live, org, f"team:{new_id()}")
        for event_id in (for_all, for_me, for_one, for_nobody, for_team):
            await owner.expect_event(event_id)
        last = await show(live, org, f"org user:{me}")
        for listener in (owner, member, viewer, customer):
            await listener.expect_event(last)
        seen = {
            name: set(listener.events)
            for name, listener in {
                "owner": owner,
                "member": member,
                "viewer": viewer,
                "customer": customer,
                "foreigner": foreigner,
            }.items()
        }
    everything = {str(id_) for id_ in (for_all, for_me, for_one, for_nobody, for_team, last)}
    assert seen == {
        "owner": everything,
        "member": {str(for_all), str(for_me), str(last)},
        "viewer": {str(for_all), str(last)},
        "customer": {str(for_me), str(last)},
        "foreigner": set(),
    }


async def test_a_client_chooses_its_topics(live: Harness, org: UUID) -> None:
    followed = new_id()
    async with socket_of(live.client(org)) as me, socket_of(live.client(org)) as all_:
        await me.say(type="subscribe", topics=[f"contact:{followed}", "drafts"])
        confirmed = await me.expect("subscribed")
        assert confirmed["topics"] == [f"contact:{followed}", "drafts"]
        other_contact = await show(live, org)
        wanted = await show(live, org, contact_id=followed)
        await me.expect_event(wanted)
        for event_id in (other_contact, wanted):
            await all_.expect_event(event_id)
        assert me.events == [str(wanted)]
        await me.say(type="subscribe", topics=None)
        await me.expect("subscribed", lambda message: message["topics"] is None)
        await me.expect_event(await show(live, org))


async def test_server_sent_events_are_the_same_messages(live: Harness, other: Harness, org: UUID) -> None:
    client = live.client(org)
    async with socket_of(client) as socket, stream_of(other.client(org)) as stream:
        for number in range(10):
            event_id = await show(live, org, name=f"Person\n{number} ✓")
            await socket.expect_event(event_id)
            await stream.expect_event(event_id)
        same = [message for message in socket.messages if message["type"] == "event"]
        assert sorted(same, key=str) == sorted(
            (message for message in stream.messages if message["type"] == "event"), key=str
        )


async def test_server_sent_events_take_topics(live: Harness, org: UUID) -> None:
    followed = new_id()
    path = f"/v1/live/events?topics=drafts&topics=contact:{followed}"
    async with stream_of(live.client(org), path) as stream:
        await show(live, org)
        wanted = await show(live, org, contact_id=followed)
        await stream.expect_event(wanted)
        assert stream.events == [str(wanted)]
    wrong = await live.client(org).get("/v1/live/events?topics=everything")
    assert (wrong.status, wrong.json()["errors"][0]["parameter"]) == (422, "topics")


async def test_what_is_not_understood_is_said_and_harms_nothing(live: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as me:
        for number, text in enumerate(
            ("hello?", '{"type":"subscribe","topics":["everything"]}', '{"type":1}'), 1
        ):
            await me.socket.send(text)
            await _errors(me, number)
        await me.socket.send(b"\xff\xfe")
        await _errors(me, 4)
        await me.expect_event(await show(live, org))


async def test_who_says_too_much_is_sent_away(live: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as me:
        for _ in range(200):
            await me.say(type="pong")
        assert await me.closed_with() == 4429


async def test_events_delivered_twice_are_shown_once(live: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as me:
        event, event_id = contact(), new_id()
        for _ in range(3):
            await live.publish(event, org=org, audience="org", event_id=event_id, sequence=1)
        await me.expect_event(await show(live, org))
        await me.expect_event(event_id)
        assert me.events.count(str(event_id)) == 1


async def test_an_event_from_before_the_feed_parks_nothing(live: Harness, org: UUID) -> None:
    async with socket_of(live.client(org)) as me:
        old = UUID("01890000-0000-7000-8000-000000000000")
        await live.publish(contact(), org=org, audience="org", event_id=old)
        await me.expect_event(await show(live, org))
        assert str(old) not in me.events
    assert await live.app.db.fetchval("SELECT count(*) FROM parked_events") == 0


async def _handshake(live: Harness, path: str, headers: dict[str, str], *protocols: Any) -> Any:
    url = live.base_url.replace("http", "ws", 1) + path
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, subprotocols=protocols or None, proxy=None):
            pass
    response = refused.value.response
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = msgspec.json.decode(response.body or b"")
    assert problem["status"] == response.status_code
    return response.status_code


async def test_the_door(live: Harness, org: UUID) -> None:
    mine = dict(live.client(org).headers)
    assert await _handshake(live, "/v1/live", {}) == 401
    assert await _handshake(live, "/v1/live", {"flotilla-principal": "forged.token"}) == 401
    assert await _handshake(live, "/v1/live", dict(live.client(org, role="nobody").headers)) == 403
    assert await _handshake(live, "/v1/elsewhere", mine) == 404
    assert await _handshake(live, "/v1/live", mine, "graphql-ws") == 400
    plain = await live.client(org).get("/v1/live")
    assert (plain.status, plain.headers["upgrade"]) == (426, "websocket")
    assert (await live.anonymous().get("/v1/live/events")).status == 401


async def test_a_client_that_does_not_answer_is_given_up(
    start_service: Any, live: Harness, org: UUID
) -> None:
    async with (
        start_service("websocket", instance=live.instance, heartbeat_seconds=1.0) as impatient,
        socket_of(impatient.client(org)) as silent,
        socket_of(impatient.client(org)) as alive,
    ):
        await silent.expect("ping")
        answering = asyncio.create_task(_answer(alive))
        try:
            assert await silent.closed_with() == 4408
            assert not alive.ended.is_set()
        finally:
            answering.cancel()


async def _answer(listener: SocketListener) -> None:
    while True:
        await listener.say(type="pong")
        await asyncio.sleep(0.1)  # sleep: a heart that beats


async def _errors(listener: Listener, number: int) -> None:
    await listener.expect(
        "error", lambda _: sum(said["type"] == "error" for said in listener.messages) == number
    )
