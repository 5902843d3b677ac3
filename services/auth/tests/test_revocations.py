"""What is revoked is refused by every gateway at once: auth marks it itself. No gateway runs here to do it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla.security import revocations
from flotilla.security.revocations import KEYS_REMEMBERED, TOKENS_REMEMBERED, Revocations
from flotilla.testing import Harness, eventually
from flotilla_auth.testing import People, Person
from redis.asyncio import Redis

PROGRAM = {"name": "ERP sync", "scopes": ["contacts:read"]}


@pytest.fixture
async def redis(auth: Harness) -> AsyncIterator[Redis]:
    """Where gateways look."""
    client = Redis.from_url(auth.app.settings.redis_url.get_secret_value())
    yield client
    await client.aclose()


async def _marked(redis: Redis, id_: Any) -> int:
    """Wait for its mark: the seconds that it holds."""

    async def there() -> bool:
        return bool(await redis.exists(revocations.key(id_)))

    await eventually(there, what="marked")
    return int(await redis.ttl(revocations.key(id_)))


async def test_sessions(people: People, owner: Person, redis: Redis) -> None:
    signed_in = [(await people.sign_in(owner.email)).json() for _ in range(3)]
    sessions = (await owner.client.get("/v1/sessions")).json()["items"]
    mine = str(owner.session)
    others = [UUID(each["id"]) for each in sessions if each["id"] != mine]
    assert len(others) == len(signed_in)
    assert (await owner.client.delete(f"/v1/sessions/{others[0]}")).status == 204
    assert 900 < await _marked(redis, others[0]) <= TOKENS_REMEMBERED.total_seconds()
    assert not await redis.exists(revocations.key(others[1]))
    assert (await owner.client.delete("/v1/sessions")).status == 204
    for session in others[1:]:
        await _marked(redis, session)
    assert not await redis.exists(revocations.key(mine)), "this one goes on"


async def test_a_mark_is_said_as_well(owner: Person, redis: Redis) -> None:
    """To websocket, which closes its sockets; the mark is there by then."""
    made = (await owner.client.post("/v1/api-keys", PROGRAM)).json()
    key_id = UUID(made["id"])
    async with redis.pubsub() as heard:
        await heard.subscribe(revocations.CHANNEL)

        async def listens() -> bool:
            return await heard.get_message(timeout=1) is not None

        async def said() -> bool:
            message = await heard.get_message(timeout=1)
            return message is not None and key_id in revocations.said(message["data"])

        await eventually(listens, what="Redis says that it is listened to")

        assert (await owner.client.delete(f"/v1/api-keys/{made['id']}")).status == 204
        await eventually(said, what="it is said")
        assert await revocations.marked(redis, [new_id(), key_id]) == {key_id}


@pytest.mark.parametrize(
    ("path", "remembered"), [("/v1/api-keys", KEYS_REMEMBERED), ("/v1/oauth-clients", TOKENS_REMEMBERED)]
)
async def test_programs(owner: Person, redis: Redis, path: str, remembered: Any) -> None:
    made = (await owner.client.post(path, PROGRAM)).json()
    assert (await owner.client.delete(f"{path}/{made['id']}")).status == 204
    seconds = remembered.total_seconds()
    assert seconds / 2 < await _marked(redis, made["id"]) <= seconds
    if path == "/v1/api-keys":
        assert seconds > TOKENS_REMEMBERED.total_seconds(), "a key has no end of its own"


async def test_those_of_somebody_who_left(people: People, owner: Person, redis: Redis) -> None:
    admin = await people.member(owner, "admin")
    key = (await admin.client.post("/v1/api-keys", PROGRAM)).json()
    left = await owner.client.patch(f"/v1/users/{admin.id}", {"state": "deactivated"})
    assert left.status == 200
    for id_ in (admin.session, key["id"]):
        await _marked(redis, id_)


async def test_redis_away_holds_nobody_up() -> None:
    away = Revocations("redis://127.0.0.1:1/0")
    away.begin(new_id(), TOKENS_REMEMBERED)
    away.begin(new_id(), KEYS_REMEMBERED)
    await away.close()
