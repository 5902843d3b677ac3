"""Ladders of migrations: climbed once, forward only, each step whole or not at all."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.service import Service
from flotilla.store.migrate import MigrationError, migrate_all
from flotilla.testing.isolation import drop_database


@pytest.fixture
async def instance() -> AsyncIterator[Instance]:
    own = Instance.load("test").with_isolation(database=f"t_{os.getpid()}_migrate_{new_id().hex[-4:]}")
    yield own
    await drop_database(own)


async def climb(instance: Instance, folder: Path) -> int:
    service = Service(name="crm", migrations_folder=folder)
    return await migrate_all(instance, (service,), topology=False)


async def tables(instance: Instance) -> set[str]:
    connection = await asyncpg.connect(instance.admin_dsn())
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'crm'")
    await connection.close()
    return {row["tablename"] for row in rows} - {"migrations"}


async def test_steps_are_climbed_once_and_later_ones_follow(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (id int)")
    assert await climb(instance, tmp_path) > 1, "the bus's ladder too"
    assert await climb(instance, tmp_path) == 0
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (id int)")
    assert await climb(instance, tmp_path) == 1
    assert await tables(instance) == {"a", "b"}


async def test_a_step_that_was_climbed_may_not_change(instance: Instance, tmp_path: Path) -> None:
    step = tmp_path / "0001_a.sql"
    step.write_text("CREATE TABLE a (id int)")
    await climb(instance, tmp_path)
    step.write_text("CREATE TABLE a (id bigint)")
    with pytest.raises(MigrationError, match="has changed since"):
        await climb(instance, tmp_path)


async def test_a_step_that_fails_leaves_nothing_and_can_be_mended(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (id int)")
    broken = tmp_path / "0002_b.sql"
    broken.write_text("CREATE TABLE b (id int); SELECT 1 / 0")
    with pytest.raises(MigrationError, match=r"0002_b\.sql: division by zero"):
        await climb(instance, tmp_path)
    assert await tables(instance) == {"a"}
    broken.write_text("CREATE TABLE b (id int)")
    assert await climb(instance, tmp_path) == 1


async def test_the_runtime_role_owns_nothing(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (id int)")
    await climb(instance, tmp_path)
    connection = await asyncpg.connect(instance.runtime_dsn("crm"))
    await connection.execute("INSERT INTO a VALUES (1)")
    for forbidden in ("DROP TABLE a", "ALTER TABLE a ADD b int", "CREATE TABLE crm.c (id int)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(forbidden)
    await connection.close()
