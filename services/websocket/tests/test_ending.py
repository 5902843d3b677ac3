"""How connections end: with their session, with the person's rights, with the process."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import (
    ApiKeyRevoked,
    OrganizationSuspended,
    OrganizationUpdated,
    SessionEnded,
    UserDeactivated,
    UserUpdated,
)
from flotilla.events.security import OAuthClientRevoked
from flotilla.ids import new_id
from flotilla.security import revocations
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService
from redis.asyncio import Redis

from services.websocket.tests.listening import now, show, socket_of, stream_of


def _ended(session_id: UUID, user_id: UUID) -> SessionEnded:
    return SessionEnded(session_id=session_id, user_id=user_id, reason="revoked", ended_at=now())


def _user(kind: Any, user_id: UUID, role: str, state: str = "active") -> Any:
    return kind(user_id=user_id, email=None, name=None, role=role, locale="en", state=state)


def _organization(kind: Any, org: UUID, state: str, **more: Any) -> Any:
    return kind(
        organization_id=org,
        name="Harbour",
        slug="harbour",
        locale="en",
        time_zone="UTC",
        currency="EUR",
        region="eu",
        state=state,
        **more,
    )


async def test_a_session_that_ends_closes_its_connections_on_all_replicas(
    live: Harness, other: Harness, org: UUID
) -> None:
    session_id, user_id = new_id(), new_id()
    mine: dict[str, Any] = {"session_id": session_id, "user_id": user_id, "role": "team_member"}
    async with (
        socket_of(live.client(org, **mine)) as first,
        socket_of(other.client(org, **mine)) as second,
        stream_of(other.client(org, **mine)) as stream,
        socket_of(live.client(org, user_id=user_id)) as another_session,
    ):
        await live.publish(_ended(session_id, user_id), org=org)
        assert await first.closed_with() == await second.closed_with() == 4401
        goodbye = await stream.expect("goodbye")
        assert (goodbye["code"], goodbye["reconnect_in_seconds"]) == (4401, None)
        await stream.ended.wait()
        await another_session.expect_event(await show(live, org))
        assert first.events == second.events == []


async def test_a_closed_organization_has_no_connections_until_it_is_open_again(
    live: Harness, other: Harness, org: UUID
) -> None:
    elsewhere = new_id()
    async with (
        socket_of(live.client(org)) as first,
        socket_of(other.client(org)) as second,
        stream_of(live.client(org)) as stream,
        socket_of(live.client(elsewhere)) as stranger,
    ):
        await live.publish(
            _organization(OrganizationSuspended, org, "suspended", reason="x"), org=org, sequence=2
        )
        assert await first.closed_with() == await second.closed_with() == 4401
        await stream.ended.wait()
        await stranger.expect_event(await show(live, elsewhere))
    async with socket_of(live.client(org), hello=False) as again:
        assert await again.closed_with() == 4401
    await live.publish(_organization(OrganizationUpdated, org, "active"), org=org, sequence=3)

    async def welcome() -> bool:
        async with socket_of(live.client(org), hello=False) as there:
            await there.expect("hello", seconds=0.5)
            return True

    await eventually(welcome, what="it is open again")


async def test_a_session_that_has_just_ended_opens_no_connection(
    live: Harness, other: Harness, org: UUID
) -> None:
    """The gateway's principal outlives the session by up to a minute."""
    session_id, user_id = new_id(), new_id()
    async with socket_of(live.client(org, session_id=session_id, user_id=user_id)) as first:
        await live.publish(_ended(session_id, user_id), org=org)
        assert await first.closed_with() == 4401
    async with socket_of(live.client(org, session_id=session_id, user_id=user_id), hello=False) as again:
        assert await again.closed_with() == 4401

    async def refused_there() -> bool:
        client = other.client(org, session_id=session_id, user_id=user_id)
        async with socket_of(client, hello=False) as there:
            await there.expect("goodbye", seconds=0.5)
            return True

    await eventually(refused_there, what="the other replica knows it too")


@pytest.fixture
async def marks(live: Harness) -> AsyncIterator[Redis]:
    """Where auth and the gateway mark what is revoked."""
    redis = Redis.from_url(live.app.settings.redis_url.get_secret_value())
    yield redis
    await redis.aclose()


async def test_what_is_revoked_ends_before_its_event_comes(
    live: Harness, other: Harness, org: UUID, marks: Redis
) -> None:
    """However far behind the lane is: here the event never comes, and no mark is there to be found."""

    async def hear() -> bool:
        return all(replica.app.own.fanout.connected for replica in (live, other))

    await eventually(hear, what="both replicas hear Redis")
    session_id, program = new_id(), new_id()
    mine: dict[str, Any] = {"session_id": session_id, "role": "team_member"}
    async with (
        socket_of(live.client(org, **mine)) as first,
        socket_of(other.client(org, **mine)) as second,
        stream_of(other.client(org, **mine)) as stream,
        socket_of(live.client(org, session_id=program)) as key,
        socket_of(live.client(org)) as another_session,
    ):
        await marks.publish(revocations.CHANNEL, revocations.word_of([session_id, program]))
        assert await first.closed_with() == await second.closed_with() == await key.closed_with() == 4401
        assert (await stream.expect("goodbye"))["code"] == 4401
        await another_session.expect_event(await show(live, org))
    async with socket_of(live.client(org, **mine), hello=False) as again:
        assert await again.closed_with() == 4401


async def test_a_mark_of_which_nobody_heard_is_found(live: Harness, org: UUID, marks: Redis) -> None:
    session_id = new_id()
    async with (
        socket_of(live.client(org, session_id=session_id)) as mine,
        socket_of(live.client(org)) as another_session,
    ):
        await marks.set(revocations.key(session_id), b"1", ex=60)
        assert await mine.closed_with() == 4401
        await another_session.expect_event(await show(live, org))


async def test_programs_connections_end_with_their_key_and_client(live: Harness, org: UUID) -> None:
    """By their events, as while Redis is away."""
    key_id, client_id = new_id(), new_id()
    async with (
        socket_of(live.client(org, session_id=key_id)) as key,
        socket_of(live.client(org, session_id=client_id)) as client,
        socket_of(live.client(org)) as person,
    ):
        state: dict[str, Any] = {"name": "ERP sync", "scopes": [], "role": "admin", "created_by": new_id()}
        revoked = ApiKeyRevoked(
            api_key_id=key_id,
            expires_at=None,
            revoked_at=now(),
            reason="revoked",
            verifier="ab" * 32,
            **state,
        )
        await live.publish(revoked, org=org, sequence=2)
        assert await key.closed_with() == 4401
        ended = OAuthClientRevoked(
            client_id=client_id, secret_rotated_at=now(), revoked_at=now(), reason="revoked", **state
        )
        await live.publish(ended, org=org, sequence=2)
        assert await client.closed_with() == 4401
        await person.expect_event(await show(live, org))
        assert len(person.events) == 1, "nobody is shown what was revoked"


async def test_a_person_who_leaves_is_disconnected_everywhere(
    live: Harness, other: Harness, org: UUID
) -> None:
    user_id = new_id()
    async with (
        socket_of(live.client(org, "team_member", user_id=user_id)) as first,
        socket_of(other.client(org, "team_member", user_id=user_id)) as second,
        socket_of(live.client(new_id(), "team_member", user_id=user_id)) as elsewhere,
    ):
        event = _user(UserDeactivated, user_id, "team_member", "deactivated")
        await live.publish(event, org=org, audience="org")
        assert await first.closed_with() == await second.closed_with() == 4401
        assert not elsewhere.ended.is_set()


async def test_rights_that_change_are_looked_up_anew(live: Harness, org: UUID) -> None:
    user_id = new_id()
    async with (
        socket_of(live.client(org, "team_member", user_id=user_id)) as before,
        socket_of(live.client(org, "owner")) as owner,
    ):
        await live.publish(_user(UserUpdated, user_id, "team_member"), org=org, audience="org")
        await before.expect_event(await show(live, org))
        await live.publish(_user(UserUpdated, user_id, "client"), org=org, audience="org")
        assert await before.closed_with() == 4403
        await owner.expect_event(await show(live, org))
        shown = {message["event"]["type"] for message in owner.messages if message["type"] == "event"}
        assert shown == {"contact.created.v1"}, "what is said of people's rights is shown to nobody"


async def test_what_was_true_of_somebody_before_does_not_come_back(live: Harness, org: UUID) -> None:
    user_id = new_id()
    async with socket_of(live.client(org, "owner")) as owner:
        await live.publish(_user(UserUpdated, user_id, "admin"), org=org, sequence=3)
        await live.publish(_user(UserUpdated, user_id, "team_member"), org=org, sequence=2)
        await owner.expect_event(await show(live, org))
    async with socket_of(live.client(org, "admin", user_id=user_id)) as promoted:
        await promoted.expect_event(await show(live, org))


async def test_a_process_that_stops_sends_everybody_to_another(
    live: Harness, start_service: StartService, org: UUID
) -> None:
    async with start_service("websocket", instance=live.instance) as leaving:
        async with socket_of(leaving.client(org)) as socket, stream_of(leaving.client(org)) as stream:
            leaving.app.stopping.set()
            goodbye = await socket.expect("goodbye")
            assert (goodbye["code"], goodbye["reason"]) == (1012, "service restart")
            assert 0 <= goodbye["reconnect_in_seconds"] <= 5
            assert await socket.closed_with() == 1012
            assert (await stream.expect("goodbye"))["code"] == 1012
            await stream.ended.wait()
        with pytest.raises(Exception, match="503"):
            async with socket_of(leaving.client(org)):
                pass
    async with socket_of(live.client(org)) as again:
        await again.say(type="resume", last_event_id=goodbye.get("last_event_id") or str(new_id()))
        await again.expect("resumed")
