"""Raw SQL under the role of each service: what it sees of two organizations, changes of them, and reaches of others."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from flotilla.instance import Instance, owner_role, runtime_role

TENANTS: Final = """
SELECT c.relname AS name,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'id' AND a.atttypid = 'uuid'::regtype) AS named
FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'migrations'
  AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'exempt:%' ORDER BY 1"""
RELATIONS: Final = """
SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2"""
POWERS: Final = (
    "has_table_privilege($1, format('%I.%I', $2::text, $3::text), 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
)
DEFINERS: Final = """
SELECT n.nspname AS schema, p.proname AS name, p.oid::regprocedure::text AS signature,
       pg_get_userbyid(p.proowner) AS owner, coalesce(p.proconfig, '{}')::text[] AS settings
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2"""
SET: Final = "SELECT set_config('flotilla.orgs', $1, true)"

Found = dict[str, object]
"""What is wrong, by where."""


@dataclass(frozen=True)
class Role:
    """A service's own way into the database, and the names of its tables of tenants."""

    service: str
    connection: asyncpg.Connection
    tables: Sequence[str]
    named: frozenset[str]
    """Those whose rows have an id, which may say in which partition they are."""

    @asynccontextmanager
    async def seeing(self, *orgs: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A transaction of these organizations, undone at its end."""
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            await self.connection.execute(SET, ",".join(map(str, orgs)))
            yield self.connection
        finally:
            await transaction.rollback()

    async def tried(self, sql: str, *arguments: object, sees: Sequence[UUID] = ()) -> object:
        """What a statement answers: its first value or its tag, or the SQLSTATE with which it is refused."""
        async with self.seeing(*sees):
            try:
                if sql.lstrip().startswith("SELECT"):
                    return await self.connection.fetchval(sql, *arguments)
                return await self.connection.execute(sql, *arguments)
            except asyncpg.PostgresError as error:
                return error.sqlstate


DENIED: Final = "42501"
"""SQLSTATE of what somebody has no right to, by a grant or by a row's policy."""


async def roles(instance: Instance) -> AsyncIterator[Role]:
    """The role of every service, one connected at a time."""
    admin = await asyncpg.connect(instance.admin_dsn())
    try:
        found = {service: await admin.fetch(TENANTS, service) for service in instance.services}
    finally:
        await admin.close()
    for service, rows in found.items():
        connection = await asyncpg.connect(instance.environment(service)["FLOTILLA_POSTGRES_DSN"])
        try:
            named = frozenset(row["name"] for row in rows if row["named"])
            yield Role(service, connection, [row["name"] for row in rows], named)
        finally:
            await connection.close()


async def seen(role: Role, ours: UUID, theirs: UUID) -> tuple[Found, int]:
    """What a role sees that it must not; and in how many tables there was something of both to be seen."""
    wrong: Found = {}
    both = 0
    for table in role.tables:
        place = f"{role.service}.{table}"
        everybody = f'SELECT count(*) FROM "{table}"'
        others = f'SELECT count(*) FROM "{table}" WHERE organization_id <> ALL ($1)'
        owned = [await role.tried(everybody, sees=[org]) for org in (ours, theirs)]
        both += all(isinstance(number, int) and number > 0 for number in owned)
        for orgs in ((ours,), (theirs,), (ours, theirs)):
            if _some(number := await role.tried(others, list(orgs), sees=orgs)):
                wrong[f"{place} of others, seen by {len(orgs)}"] = number
        if _some(number := await role.tried(everybody)):
            wrong[f"{place} without an organization"] = number
        if _some(number := await _answer(role.connection, everybody)):
            wrong[f"{place} without a setting"] = number
    return wrong, both


async def changed(role: Role, ours: UUID, theirs: UUID) -> Found:
    """What a role may change of an organization that the transaction is not of."""
    wrong: Found = {}
    for table in role.tables:
        statements: dict[str, tuple[str, tuple[object, ...], set[object]]] = {
            "inserts": (
                f'INSERT INTO "{table}" (organization_id{", id" if table in role.named else ""})'
                f" VALUES ($1{', first_id_at(now())' if table in role.named else ''})",
                (theirs,),
                {DENIED},
            ),
            "deletes": (
                f'DELETE FROM "{table}" WHERE organization_id = $1',
                (theirs,),
                {"DELETE 0", DENIED},
            ),
            "takes": (
                f'UPDATE "{table}" SET organization_id = $1 WHERE organization_id = $2',
                (ours, theirs),
                {"UPDATE 0", DENIED},
            ),
        }
        for what, (sql, arguments, right) in statements.items():
            if (answer := await role.tried(sql, *arguments, sees=[ours])) not in right:
                wrong[f"{role.service}.{table} {what}"] = answer
        given = f'UPDATE "{table}" SET organization_id = $1 WHERE organization_id = $2'
        answer = await role.tried(given, theirs, ours, sees=[ours])
        if not _refuses(answer):
            wrong[f"{role.service}.{table} gives away"] = answer
    return wrong


def _refuses(answer: object) -> bool:
    """Nothing there to give, or an error; which one depends on what else of the row is checked first."""
    return answer == "UPDATE 0" or not str(answer).startswith("UPDATE")


async def reached(role: Role, instance: Instance, admin: asyncpg.Connection) -> Found:
    """What a role reaches beyond its own schemas, whom it can become, and how it can unprotect what is its own."""
    wrong: Found = {}
    own = {role.service, f"{role.service}_bus", f"{role.service}_shadow", "extensions"}
    name = runtime_role(role.service)
    tried: set[str] = set()
    for relation in await admin.fetch(RELATIONS):
        schema, table = relation["schema"], relation["name"]
        if schema in own:
            continue
        # `has_table_privilege` asks for the table alone; without USAGE of the schema it is of no use.
        if await admin.fetchval(f"SELECT {POWERS}", name, schema, table):
            wrong[f"{name} has a right to {schema}.{table}"] = True
        if schema not in tried:
            tried.add(schema)
            if (answer := await role.tried(f'SELECT count(*) FROM "{schema}"."{table}"')) != DENIED:
                wrong[f"{name} reads {schema}.{table}"] = answer
    others = [each for service in instance.services for each in (runtime_role(service), owner_role(service))]
    powerful = await admin.fetchval("SELECT current_user")
    for other in (*others, powerful):
        if other != name and (answer := await role.tried(f"SET ROLE {other}")) != DENIED:
            wrong[f"{name} becomes {other}"] = answer
    table = role.tables[0] if role.tables else "migrations"
    for sql in (
        f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY mine ON "{table}" USING (true)',
        f'TRUNCATE "{table}"',
        "CREATE TABLE mine (id int)",
        f"CREATE FUNCTION {role.service}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"SET SESSION AUTHORIZATION {powerful}",
        f"ALTER ROLE {name} BYPASSRLS",
    ):
        if (answer := await role.tried(sql)) != DENIED:
            wrong[f"{name}: {sql}"] = answer
    for table in role.tables:
        sql = f'SELECT count(*) FROM "{table}"'
        async with role.connection.transaction():
            await role.connection.execute("SET LOCAL row_security = off")
            if await _answer(role.connection, sql) != DENIED:
                wrong[f"{role.service}.{table} with row_security off"] = True
    return wrong


def _some(number: object) -> bool:
    """Rows; an error shows none."""
    return isinstance(number, int) and number > 0


async def _answer(connection: asyncpg.Connection, sql: str) -> object:
    """The first value, or the SQLSTATE with which it is refused; within the transaction that is open, if one is."""
    try:
        async with connection.transaction():
            found: object = await connection.fetchval(sql)
            return found
    except asyncpg.PostgresError as error:
        return error.sqlstate


async def definers(admin: asyncpg.Connection, instance: Instance) -> tuple[set[str], Found]:
    """Functions that run as their owner, and what is wrong with them."""
    owners = {
        f"{service}{part}": owner_role(service) for service in instance.services for part in ("", "_bus")
    }
    wrong: Found = {}
    listed: set[str] = set()
    for row in await admin.fetch(DEFINERS):
        listed.add(row["name"])
        paths = [each.partition("=")[2] for each in row["settings"] if each.startswith("search_path=")]
        schemas = [part.strip().strip('"') for part in (paths[0].split(",") if paths else ())]
        service = row["schema"].removesuffix("_bus")
        if not schemas or set(schemas) - {service, f"{service}_bus", "extensions"}:
            wrong[f"{row['signature']} search_path"] = paths
        if row["owner"] != owners.get(row["schema"]):
            wrong[f"{row['signature']} owner"] = row["owner"]
    return listed, wrong
