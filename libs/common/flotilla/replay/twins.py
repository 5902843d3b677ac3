"""The shadow: beside each table of a projection one of the same shape, in the schema `<service>_shadow`.

`flotilla migrate` makes them, as the owner; the runtime role fills and empties them. They have the table's columns,
defaults, keys, checks and its policy, and no foreign keys: what they would point to may not be built yet. A table that
a migration has changed gets a new shadow, and a replay that was filling the old one fails.
"""

from typing import Final

import asyncpg

from flotilla.replay.plan import tables_of
from flotilla.service import Service

SHAPE: Final = """
SELECT md5(string_agg(part, E'\\n' ORDER BY part)) FROM (
    SELECT concat_ws(' ', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated,
                     pg_get_expr(d.adbin, d.adrelid)) AS part
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT concat_ws(' ', contype, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid = $1::regclass AND contype IN ('p', 'u', 'c', 'x')
    UNION ALL
    SELECT concat_ws(' ', 'rows', relrowsecurity, relforcerowsecurity) FROM pg_class WHERE oid = $1::regclass
    UNION ALL
    SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') FROM pg_index WHERE indrelid = $1::regclass
) AS parts"""

MADE_FOR: Final = "SELECT obj_description(to_regclass($1), 'pg_class')"
STANDING: Final = "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'"
PROTECTED: Final = "SELECT relrowsecurity FROM pg_class WHERE oid = $1::regclass"
OUTDATED: Final = """
UPDATE {bus}.replays SET state = 'failing', reason = 'a migration changed a table that was being built anew'
WHERE state = 'filling'"""


def schema_of(service: str) -> str:
    """Where the shadow stands."""
    return f"{service}_shadow"


async def make_twins(connection: asyncpg.Connection, service: Service, runtime: str) -> None:
    """Bring the shadow in line with the tables, as the owner; what is right already stays. One transaction."""
    shadow = schema_of(service.name)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"migrate {shadow}")
        wanted = tables_of(service)
        changed = False
        for row in await connection.fetch(STANDING, shadow):
            if row["relname"] not in wanted:
                await connection.execute(f'DROP TABLE {shadow}."{row["relname"]}"')
                changed = True
        for table in wanted:
            changed = await _make(connection, service.name, table, runtime) or changed
        if changed:
            await connection.execute(OUTDATED.format(bus=f"{service.name}_bus"))


async def _make(connection: asyncpg.Connection, service: str, table: str, runtime: str) -> bool:
    """Make one anew where the table has another shape than the one it was made for; whether it was."""
    own, twin = f'{service}."{table}"', f'{schema_of(service)}."{table}"'
    shape = await connection.fetchval(SHAPE, own)
    if await connection.fetchval(MADE_FOR, twin) == f"shadow of {table}, {shape}":
        return False
    await connection.execute(f"DROP TABLE IF EXISTS {twin}")
    await connection.execute(f"CREATE TABLE {twin} (LIKE {own} INCLUDING ALL)")
    if await connection.fetchval(PROTECTED, own):
        await connection.execute(f"SET LOCAL search_path = {schema_of(service)}, {service}_bus")
        await connection.execute("SELECT protect_tenant_table($1)", table)
    await connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {twin} TO {runtime}")
    await connection.execute(f"COMMENT ON TABLE {twin} IS 'shadow of {table}, {shape}'")
    return True
