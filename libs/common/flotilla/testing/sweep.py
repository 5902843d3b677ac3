"""What test runs that were killed left on the shared test servers, removed before the next run.

Names of what a test worker owns carry its process id (isolation.py): whatever belongs to a process that is gone
belongs to nobody.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import asyncpg
from pymongo import AsyncMongoClient

from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost, vhosts

_OWNED: Final = re.compile(r"t_(\d+)_")
_TEMPLATES: Final = """
SELECT datname FROM (
    SELECT datname, row_number() OVER (PARTITION BY regexp_replace(datname, '_[0-9a-f]+$', '') ORDER BY oid DESC)
    FROM pg_database WHERE datistemplate AND datname LIKE 'template\\_%'
) AS template WHERE row_number > 1"""


async def sweep(instance: Instance) -> int:
    """Removes databases, vhosts and documents of dead workers, and templates of older ladders: how many."""
    return await _databases(instance) + await _vhosts(instance) + await _documents(instance)


async def _databases(instance: Instance) -> int:
    connection = await asyncpg.connect(instance.admin_dsn("postgres"), timeout=10)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database")
        orphans = _orphans(row["datname"] for row in rows)
        old = [row["datname"] for row in await connection.fetch(_TEMPLATES)]
        for name in old:
            await connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
        for name in (*orphans, *old):
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        return len(orphans) + len(old)
    finally:
        await connection.close()


async def _vhosts(instance: Instance) -> int:
    orphans = _orphans(await vhosts(instance))
    for name in orphans:
        await delete_vhost(instance.with_isolation(vhost=name))
    return len(orphans)


async def _documents(instance: Instance) -> int:
    async with AsyncMongoClient[dict[str, object]](instance.documents_url) as documents:
        orphans = _orphans(await documents.list_database_names())
        for name in orphans:
            await documents.drop_database(name)
    return len(orphans)


def _orphans(names: Iterable[str]) -> list[str]:
    owned = ((name, match) for name in names if (match := _OWNED.match(name)))
    return [name for name, match in owned if not Path(f"/proc/{match[1]}").exists()]
