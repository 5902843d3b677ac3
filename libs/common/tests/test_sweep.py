"""What a killed run left is removed; what a living one owns stays."""

import os

import asyncpg
import pytest
from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost, ensure_vhost, vhosts
from flotilla.testing.sweep import sweep
from pymongo import AsyncMongoClient

NOBODY = 2**22 + 1
"""More than any process id on Linux."""


@pytest.fixture(params=[os.getpid(), NOBODY], ids=["alive", "dead"])
def owner(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def test_only_what_belongs_to_the_dead_goes(owner: int) -> None:
    name = f"t_{owner}_sweep_{os.getpid()}"
    instance = Instance.load("test").with_isolation(database=name, vhost=name)
    admin = await asyncpg.connect(instance.admin_dsn("postgres"))
    await admin.execute(f'CREATE DATABASE "{name}"')
    await ensure_vhost(instance)
    async with AsyncMongoClient[dict[str, object]](instance.documents_url) as documents:
        await documents[name]["some"].insert_one({})

        await sweep(instance)

        stays = owner != NOBODY
        assert bool(await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)) == stays
        assert (name in await vhosts(instance)) == stays
        assert (name in await documents.list_database_names()) == stays
        await documents.drop_database(name)
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
    await admin.close()
    await delete_vhost(instance)
