"""Addresses that are refused for a while: kept in Redis, where the rate limit's script of every gateway process sees
them in its one round trip.

What happens to a block is also pushed to a list by whoever does it, in the same step; the gateway tells it as events
from there. So a block holds, and is told, whichever process dies. Losing Redis ends all blocks.
"""

import time
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from flotilla.ids import new_id

if TYPE_CHECKING:
    from redis.asyncio import Redis

ENDS: Final = "gateway:blocks"
"""A sorted set of `Block` by when it ends, Unix seconds; the gateway takes out what has ended, and tells it."""
FACTS: Final = "gateway:blocks:facts"
"""A list of `Block`, oldest first, that no event tells of yet."""
MOST_FACTS: Final = 10_000
"""More are not kept while nobody tells them."""

BY_TIME: Final = "time"
BY_OPERATOR: Final = "operator"


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One address that is refused."""

    id: UUID
    bucket: str
    """An IPv4 address, or an IPv6 /64."""
    reason: str
    offence: int
    """How often it was blocked lately, this time counted; 0 where an operator did it."""
    since: float
    until: float
    """Unix seconds."""
    ended_by: str | None = None
    """Of a fact that it ended."""


def key(bucket: str) -> str:
    """Where the block of an address is kept, for as long as it lasts."""
    return f"gateway:block:{bucket}"


def read(said: Any) -> Block:
    """As Redis has it, bytes or text."""
    return msgspec.json.decode(said, type=Block)


async def place(redis: "Redis", bucket: str, seconds: int, reason: str) -> Block:
    """Block an address by hand; another block of it ends."""
    await lift(redis, bucket)
    now = time.time()
    block = Block(id=new_id(), bucket=bucket, reason=reason, offence=0, since=now, until=now + seconds)
    said = msgspec.json.encode(block)
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.set(key(bucket), said, ex=seconds)
        pipeline.zadd(ENDS, {said: block.until})
        pipeline.rpush(FACTS, said)
        pipeline.ltrim(FACTS, -MOST_FACTS, -1)
        await pipeline.execute()
    return block


async def lift(redis: "Redis", bucket: str) -> Block | None:
    """End the block of an address by hand; None where it has none."""
    said = await redis.get(key(bucket))
    if said is None:
        return None
    block = read(said)
    ended = msgspec.structs.replace(block, ended_by=BY_OPERATOR)
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.delete(key(bucket))
        pipeline.zrem(ENDS, said)
        pipeline.rpush(FACTS, msgspec.json.encode(ended))
        pipeline.ltrim(FACTS, -MOST_FACTS, -1)
        await pipeline.execute()
    return block


async def listing(redis: "Redis") -> list[Block]:
    """All that hold, the one that ends first first."""
    return [read(said) for said in await redis.zrangebyscore(ENDS, time.time(), "+inf")]
