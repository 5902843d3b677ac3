"""A partner's program, written with aio-pika and the contracts folder alone: nothing of Flotilla's code.

    python partner_client.py <amqp url> <queue> <folder of contracts> <count>

Reads so many events from its queue, checks each against the contract of its type, prints them as JSON lines, and
acknowledges them.
"""

import asyncio
import json
import sys
from pathlib import Path

import aio_pika
import jsonschema_rs


async def read(url: str, queue_name: str, contracts: Path, count: int) -> None:
    """Until there were `count` events; a ValidationError for one that is not as its contract says."""
    async with await aio_pika.connect(url, timeout=10) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)
        queue = await channel.get_queue(queue_name, ensure=False)
        async with queue.iterator(timeout=30) as messages:
            async for message in messages:
                event = json.loads(message.body)
                contract = json.loads((contracts / "events" / f"{event['type']}.json").read_text())
                jsonschema_rs.validator_for(contract, validate_formats=True).validate(event)
                print(json.dumps(event), flush=True)
                await message.ack()
                count -= 1
                if count == 0:
                    return


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
