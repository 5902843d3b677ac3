"""A partner's program, written with aio-pika and the contracts folder alone: nothing of Flotilla's code.

    python partner_client.py <amqp url> <queue> <folder of contracts> <count, or types with commas between>

Reads from its queue so many events, or until it has seen one of each of these types; checks each against the contract
of its type, prints it as a line of JSON, and acknowledges it.
"""

import asyncio
import json
import sys
from pathlib import Path

import aio_pika
import jsonschema_rs


async def read(url: str, queue_name: str, contracts: Path, count: int, types: set[str]) -> None:
    """Until there were `count` events and all of `types`; a ValidationError for one that breaks its contract."""
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
                types.discard(event["type"])
                if count <= 0 and not types:
                    return


if __name__ == "__main__":
    address, queue_name, folder, until = sys.argv[1:]
    said = (int(until), set[str]()) if until.isdigit() else (0, set(until.split(",")))
    asyncio.run(read(address, queue_name, Path(folder), *said))
