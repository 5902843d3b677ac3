"""Every table in which words can stand is one that its service says something of: whose they are, or why nobody's."""

import asyncpg
import pytest
from flotilla.privacy import Privacy
from flotilla.privacy.keep import Keep
from flotilla.privacy.sweeping import finding, removing
from flotilla.privacy.whole import tables_of
from flotilla.service import Service, present
from flotilla.testing.isolation import isolated

BUS_MADE = frozenset({"sagas", "saga_requests", "wishes", "migrations"})
"""Made by functions of the bus, which looks after them itself."""
WORDS = """
SELECT DISTINCT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
  AND NOT a.attisdropped AND t.typname IN ('text', 'varchar', 'jsonb', 'json', '_text')
  AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'organization_id')
  AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'exempt:%'"""
GUARDED = """
SELECT c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = $1::regnamespace AND NOT t.tgisinternal AND t.tgtype & 8 > 0 AND t.tgtype & 2 > 0
  AND t.tgname !~ '^reach'"""
"""Tables that refuse a DELETE, to whomever: not those that ask whose the row is."""
COLUMNS = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1"


@pytest.mark.parametrize("service", present(), ids=lambda service: service.name)
async def test_every_table_with_words_is_accounted_for(service: Service, worker: str) -> None:
    privacy = service.privacy
    assert privacy is not None, "a service says what it holds of people"
    async with isolated(service, worker) as instance:
        connection = await asyncpg.connect(instance.admin_dsn())
        try:
            wordy = {row["name"] for row in await connection.fetch(WORDS, service.name)} - BUS_MADE
            guarded = {row["name"] for row in await connection.fetch(GUARDED, service.name)}
            in_order = await tables_of(connection, service.name)
            columns = {tuple(row) for row in await connection.fetch(COLUMNS, service.name)}
            await _can_be_swept(connection, service)
        finally:
            await connection.close()
    assert sorted(guarded & set(in_order) - privacy.kept.keys()) == [], (
        "it cannot be deleted: say that it is kept"
    )
    declared = {rows.table for rows in privacy.rows}
    unsaid = sorted(wordy - declared - privacy.harmless.keys())
    assert unsaid == [], f"{unsaid}: say whose they are, or why nobody's"
    tables = {table for table, _ in columns}
    assert sorted((declared | privacy.harmless.keys() | privacy.kept.keys()) - tables) == [], (
        "there is no such table"
    )
    assert sorted(_named(privacy) - columns) == [], "there is no such column"


async def _can_be_swept(connection: asyncpg.Connection, service: Service) -> None:
    """What is said to grow old can be found by its age, and removed."""
    await connection.execute(f"SET search_path = {service.name}, {service.name}_bus, extensions")
    for keep in service.privacy.keeps if service.privacy else ():
        if isinstance(keep, Keep):
            await connection.prepare(finding(keep))
            await connection.prepare(removing(keep))


def _named(privacy: Privacy) -> set[tuple[str, str]]:
    return {
        (rows.table, column)
        for rows in privacy.rows
        for column in (
            *rows.contact,
            *rows.identity,
            *rows.user,
            *rows.naming,
            *(column for column, _ in rows.via),
            *(rows.clear or ()),
            *([rows.redact] if rows.redact else ()),
            *([rows.key] if rows.key else ()),
        )
    }
