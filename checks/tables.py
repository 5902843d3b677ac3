"""What a migrated schema must be like: every table a tenant's, or exempt and with nothing to see."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from checks.exempt import COLUMNS, SEARCHED

POLICY: Final = (
    "coalesce(organization_id = ANY ("
    "(SELECT string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[])::uuid[]), false)"
)
"""Rule 7 of the architecture; the array is read once a statement, not once a row, and no index is searched by it."""
EXEMPT: Final = "exempt:"
TELLS_NOTHING: Final = frozenset({"uuid", "bytea", "timestamp with time zone", "date"})
"""Types of ids, hashes and times."""
COUNTS: Final = re.compile(r"(sequence|version|(\w+_)?position(_\w+)?) (bigint|integer)")
"""What numbers the states of an entity or the rows of a log."""

TABLES: Final = """
SELECT c.oid, c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       c.relispartition AS partition, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
       array(SELECT concat(a.attname, ' ', format_type(a.atttypid, NULL),
                           CASE WHEN a.attnotnull THEN ' not null' END)
             FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum) AS columns
FROM pg_class c
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'migrations'
ORDER BY c.relname"""

KEYS: Final = """
SELECT i.indrelid AS oid, i.indexrelid::regclass::text AS name, i.indisprimary AS primary,
       array(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = $1::regnamespace AND i.indisunique ORDER BY 2"""

FOREIGN_KEYS: Final = """
SELECT f.conrelid AS oid, f.conname AS name, f.confrelid AS target,
       array(SELECT a.attname || '=' || b.attname FROM unnest(f.conkey, f.confkey) AS k (own, other)
             JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own
             JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.other) AS pairs
FROM pg_constraint f WHERE f.connamespace = $1::regnamespace AND f.contype = 'f' AND f.conparentid = 0
ORDER BY f.conname"""

POLICIES: Final = """
SELECT p.polrelid AS oid, p.polname AS name, p.polcmd::text AS command, p.polpermissive AS permissive,
       p.polroles = '{0}'::oid[] AS everyone, p.polroles = array[c.relowner] AS owner,
       pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS checking
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = $1::regnamespace"""

Complaint = tuple[str, str]
"""A table's or function's name, and what is wrong with it."""


@dataclass(frozen=True)
class Table:
    """One table, with its keys and policies."""

    service: str
    name: str
    row: Mapping[str, Any]
    keys: list[Mapping[str, Any]]
    policies: list[Mapping[str, Any]]

    @property
    def exempt(self) -> bool:
        """Whether it says that it belongs to no tenant."""
        return str(self.row["comment"]).startswith(EXEMPT)


async def check_tables(connection: asyncpg.Connection, service: str) -> list[Complaint]:
    """All tables of the service's own schema."""
    policy = await expected_policy(connection)
    rows, keys, foreign, policies = [
        await connection.fetch(sql, service) for sql in (TABLES, KEYS, FOREIGN_KEYS, POLICIES)
    ]
    tables = {
        row["oid"]: Table(
            service,
            row["name"],
            row,
            [key for key in keys if key["oid"] == row["oid"]],
            [found for found in policies if found["oid"] == row["oid"]],
        )
        for row in rows
    }
    found: list[Complaint] = []
    for table in tables.values():
        wrong = _exempt(table) if table.exempt else _tenant(table, policy)
        found += [(table.name, message) for message in wrong]
    for key in foreign:
        own, target = tables[key["oid"]], tables.get(key["target"])
        if target is None:
            found.append(
                (own.name, f"its foreign key {key['name']} leaves the schema; keep a projection instead")
            )
        elif not (own.exempt or target.exempt) and "organization_id=organization_id" not in key["pairs"]:
            found.append(
                (own.name, f"its foreign key {key['name']} crosses tenants: (organization_id, …) in both")
            )
    return found


async def expected_policy(connection: asyncpg.Connection) -> str:
    """The one policy, as this server spells it out."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("CREATE TEMPORARY TABLE reference (organization_id uuid)")
        await connection.execute(f"CREATE POLICY tenant ON reference USING ({POLICY})")
        return str(
            await connection.fetchval(
                "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'reference'::regclass"
            )
        )
    finally:
        await transaction.rollback()


def _tenant(table: Table, policy: str) -> Iterator[str]:
    if "organization_id uuid not null" not in table.row["columns"]:
        yield "has no `organization_id uuid NOT NULL`; add it, or say why not: COMMENT ON TABLE … IS 'exempt: <why>'"
        return
    if not table.row["enabled"] or not table.row["forced"]:
        yield f"its rows are not protected (enabled and forced): SELECT protect_tenant_table('{table.name}')"
    elif not _are_the_policies(table, policy):
        yield "its policy is not the one of rule 7; drop it and call protect_tenant_table"
    primary = [key for key in table.keys if key["primary"]]
    if not primary:
        yield "has no primary key; make it (organization_id, id)"
    for key in primary:
        if key["columns"][0] != "organization_id":
            yield f"its primary key begins with {key['columns'][0]}; make it (organization_id, …)"
    for key in table.keys:
        if not key["primary"] and "organization_id" not in key["columns"]:
            yield f"{key['name']} is unique across tenants: one could learn what another has; add organization_id"


def _are_the_policies(table: Table, expected: str) -> bool:
    """The one of rule 7; beside it those that narrow; where reviewed, one for the owner's search function."""
    tenant = [policy for policy in table.policies if policy["everyone"]]
    rest = [policy for policy in table.policies if not policy["everyone"] and not _narrows(policy)]
    if rest and (table.service, table.name) not in SEARCHED:
        return False
    return (
        len(tenant) == 1
        and tenant[0]["command"] == "*"
        and tenant[0]["permissive"]
        and tenant[0]["using"] == expected
        and tenant[0]["checking"] in (None, expected)
        and all(policy["owner"] and policy["command"] == "r" for policy in rest)
    )


def _narrows(policy: Mapping[str, Any]) -> bool:
    """One of scope_rows or scope_clients: it can only take rows away from what the runtime role reads."""
    return (
        not policy["permissive"]
        and policy["command"] == "r"
        and str(policy["name"]).startswith(("reach", "client"))
    )


def _exempt(table: Table) -> Iterator[str]:
    if not str(table.row["comment"]).removeprefix(EXEMPT).strip():
        yield "is exempt and doesn't say why"
    for column in table.row["columns"]:
        name, _, kind = column.removesuffix(" not null").partition(" ")
        reviewed = (table.service, table.name, name) in COLUMNS
        if kind not in TELLS_NOTHING and not COUNTS.fullmatch(f"{name} {kind}") and not reviewed:
            yield f"is exempt but `{name}` is no hash, id or time; protect it, or have it reviewed in checks/exempt.py"
