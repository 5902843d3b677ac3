"""Tells what became of blocks: from the list that whoever blocks or unblocks writes, in the same step as the block.

At least once: what a process told and did not take off the list before it died is told again with the same subject
and sequence, which changes nothing for whoever keeps it.
"""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from flotilla.cause import Cause
from flotilla.events.gateway import AddressBlock, AddressBlocked, AddressUnblocked
from flotilla.ids import PLATFORM_ORG
from flotilla.security import addresses, blocks
from flotilla.security.blocks import BY_TIME, ENDS, FACTS, Block
from flotilla.security.sealing import Keyring

if TYPE_CHECKING:
    from flotilla.app import App

ACTOR: Final = "service:gateway"
AT_ONCE: Final = 200


async def tell_blocks(app: "App") -> None:
    """Tell what is on the list, and which blocks time has ended; one process of the service at a time."""
    redis = app.redis
    assert redis is not None
    facts: list[Any] = await redis.lrange(FACTS, 0, AT_ONCE - 1)
    ended: list[Any] = await redis.zrangebyscore(ENDS, "-inf", time.time(), start=0, num=AT_ONCE)
    if not facts and not ended:
        return
    told = [blocks.read(said) for said in facts]
    told += [msgspec.structs.replace(blocks.read(said), ended_by=BY_TIME) for said in ended]
    async with app.db.transaction(PLATFORM_ORG, cause=Cause.fresh(ACTOR)) as tx:
        for fact in told:
            tx.emit(_event(fact, app.keyring), org=PLATFORM_ORG, sequence=1 if fact.ended_by is None else 2)
    async with redis.pipeline(transaction=True) as pipeline:
        for said in facts:
            pipeline.lrem(FACTS, 1, said)
        for said in ended:
            pipeline.zrem(ENDS, said)
        await pipeline.execute()


def _event(fact: Block, keyring: Keyring) -> AddressBlock:
    parsed = addresses.parse(fact.bucket.partition("/")[0])
    day = datetime.fromtimestamp(fact.since, UTC).date()
    block = AddressBlocked(
        block_id=fact.id,
        network="-" if parsed is None else addresses.network(parsed),
        caller=addresses.Pseudonyms(keyring, day).of(fact.bucket),
        reason=fact.reason,
        offence=fact.offence,
        until=datetime.fromtimestamp(fact.until, UTC),
    )
    if fact.ended_by is None:
        return block
    return AddressUnblocked(
        block_id=block.block_id,
        network=block.network,
        caller=block.caller,
        reason=block.reason,
        offence=block.offence,
        until=block.until,
        ended_by=fact.ended_by,
    )
