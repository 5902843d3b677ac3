"""Looking for words in everything a fleet keeps: tables, documents, indexes, files, queues, Redis, spans, and logs, its
own and those of its servers."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import aio_pika
import aiohttp
import asyncpg
from flotilla.bus.topology import bindings, queue_name
from flotilla.fleet import Fleet
from flotilla.security.sealing import Keyring, UnsealError
from flotilla.service import FLEET, Service, present
from flotilla.store.files import Files
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from tests.e2e import server_logs

TEXTS: Final = """
SELECT c.table_schema AS schema, c.table_name AS table, array_agg(
    CASE c.data_type WHEN 'bytea' THEN format('encode(%I, ''escape'')', c.column_name)
                     ELSE format('%I::text', c.column_name) END) AS columns
FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
  AND c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY', 'USER-DEFINED', 'xml')
GROUP BY 1, 2 ORDER BY 1, 2"""

Places = Counter[str]
"""Where a word stands, and how often: `crm.contacts`, `documents/messaging.bodies`, `log/ai`."""


async def places(fleet: Fleet, words: Sequence[str], services: Collection[str] = FLEET) -> Places:
    """Every place in which any of these words stands, whatever its case; `services`: those that the fleet has."""
    wanted = [word.lower() for word in words]
    found: Places = Counter()
    for part in await asyncio.gather(
        _tables(fleet, wanted),
        _documents(fleet, wanted, services),
        _indexes(fleet, wanted),
        _queues(fleet, wanted, services),
        _redis(fleet, wanted),
    ):
        found.update(part)
    found.update(await _files(fleet, wanted))
    found.update(await asyncio.to_thread(_lines, fleet, wanted))
    return found


def _of(services: Collection[str]) -> list[Service]:
    return [service for service in present() if service.name in services]


async def _tables(fleet: Fleet, words: Sequence[str]) -> Places:
    """All columns of texts and bytes, of all schemas there are; as the administrator, whom no policy keeps out."""
    found: Places = Counter()
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        for row in await connection.fetch(TEXTS):
            texts = f"lower(concat_ws(' ', {', '.join(row['columns'])}))"
            name = f"{row['schema']}.{row['table']}"
            count = f'SELECT count(*) FROM "{row["schema"]}"."{row["table"]}"'
            condition = " OR ".join(
                f"position(${place} IN {texts}) > 0" for place in range(1, len(words) + 1)
            )
            if number := await connection.fetchval(f"{count} WHERE {condition}", *words):
                found[name] += number
    finally:
        await connection.close()
    return found


async def _documents(fleet: Fleet, words: Sequence[str], services: Collection[str]) -> Places:
    found: Places = Counter()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        fleet.instance.documents_url, uuidRepresentation="standard"
    )
    async with client:
        for service in _of(services):
            database = client.get_database(f"{fleet.instance.documents_prefix}_{service.name}")
            for name in await database.list_collection_names():
                async for document in database.get_collection(name).find({}):
                    if _speaks(str(document), words):
                        found[f"documents/{service.name}.{name}"] += 1
    return found


async def _indexes(fleet: Fleet, words: Sequence[str]) -> Places:
    """Elasticsearch's, where search runs on it."""
    found: Places = Counter()
    instance = fleet.instance
    if not instance.elasticsearch_url:
        return found
    own = f"{instance.elasticsearch_url}/{instance.documents_prefix}*"
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await session.post(f"{own}/_refresh")
        everything = {"size": 10_000, "query": {"match_all": {}}}
        async with session.post(f"{own}/_search", json=everything) as answer:
            hits = (await answer.json())["hits"]["hits"]
    found.update(f"index/{hit['_index']}" for hit in hits if _speaks(str(hit), words))
    return found


async def _queues(fleet: Fleet, words: Sequence[str], services: Collection[str]) -> Places:
    """What waits on lanes; put back as it was."""
    found: Places = Counter()
    connection = await aio_pika.connect(fleet.instance.amqp_url)
    async with connection:
        channel = await connection.channel()
        for service in _of(services):
            for lane in bindings(service):
                name = queue_name(service.name, lane)
                queue = await channel.get_queue(name, ensure=False)
                held = []
                while (message := await queue.get(no_ack=False, fail=False)) is not None:
                    held.append(message)
                    if _speaks(message.body.decode("utf-8", "replace"), words):
                        found[f"queue/{name}"] += 1
                for message in held:
                    await message.nack(requeue=True)
    return found


async def _redis(fleet: Fleet, words: Sequence[str]) -> Places:
    found: Places = Counter()
    redis: Redis = Redis.from_url(fleet.instance.redis_url)
    async with redis:
        async for key in redis.scan_iter(count=1000):
            dumped = await redis.dump(key) or b""
            if _speaks((key + b" " + dumped).decode("latin-1"), words):
                found["redis"] += 1
    return found


async def _files(fleet: Fleet, words: Sequence[str]) -> Places:
    """The file store: its names, and what is in it once it is opened."""
    found: Places = Counter()
    files = Files.open(fleet.instance.files_url, Keyring(fleet.instance.secrets.keyring))
    async for path in files.all():
        try:
            content = b"".join([piece async for piece in files.read(path)]).decode("latin-1")
        except (FileNotFoundError, UnsealError):
            content = ""
        if _speaks(f"{path} {content}", words):
            found[f"files/{path}"] += 1
    return found


def _lines(fleet: Fleet, words: Sequence[str]) -> Places:
    """Logs, the servers' too, and spans."""
    found: Places = Counter()
    instance = fleet.instance
    folder = instance.fleet_folder / "logs"
    for path in _all(folder):
        if _speaks(path.read_bytes().decode("latin-1"), words):
            found[f"log/{path.relative_to(folder)}"] += 1
    for server, content in server_logs.written(instance):
        if _speaks(content.decode("latin-1"), words):
            found[f"log of {server}"] += 1
    if instance.traces_file is not None and _speaks(instance.traces_file.read_text(), words):
        found["spans"] += 1
    return found


def _all(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.rglob("*") if path.is_file())


def _speaks(text: str, words: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in words)
