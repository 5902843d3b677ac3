"""SQL of a service's declared rows: whose they are, forgetting them, and reading them out.

Made of names that stand in the service's code; ids go as parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from flotilla.privacy.declare import Counts, Person, Rows
from flotilla.store.postgres import Transaction

BYTES: Final = """
SELECT attname AS name FROM pg_attribute
WHERE attrelid = $1::text::regclass AND atttypid = 'bytea'::regtype AND NOT attisdropped"""


@dataclass
class Found:
    """What belongs to somebody in one service: the ids of their rows."""

    by_table: dict[str, list[UUID]] = field(default_factory=dict)
    deleted: set[UUID] = field(default_factory=set)
    """Of rows that go as a whole."""

    def names(self, person: Person) -> list[UUID]:
        """Every id that speaks of them."""
        return sorted({*person.ids, *(id_ for ids in self.by_table.values() for id_ in ids)})


def condition(rows: Rows, org: UUID, person: Person, found: Found) -> tuple[str, list[Any]] | None:
    """Whose rows, and its parameters; None where nobody's can be there."""
    parameters: list[Any] = [org]
    parts: list[str] = []

    def add(part: str, ids: Sequence[UUID]) -> None:
        if ids:
            parameters.append(list(ids))
            parts.append(part.format(f"${len(parameters)}::uuid[]"))

    for columns, ids in ((rows.contact, person.contacts), (rows.identity, person.identities)):
        for column in columns:
            add(f"t.{column} = ANY({{}})", ids)
    for column in rows.user:
        add(f"t.{column} = ANY({{}})", person.users)
    for column, table in rows.via:
        add(f"t.{column} = ANY({{}})", found.by_table.get(table, ()))
    for column in rows.naming:
        add(f"uuids_in(t.{column}) && {{}}", found.names(person))
    return (f"t.organization_id = $1 AND ({' OR '.join(parts)})", parameters) if parts else None


async def find(tx: Transaction, declared: Sequence[Rows], org: UUID, person: Person) -> Found:
    """The ids of all their rows, parents first."""
    found = Found()
    for rows in declared:
        if rows.key is None or (whose := condition(rows, org, person, found)) is None:
            continue
        where, parameters = whose
        sql = f"SELECT t.{rows.key} AS key FROM {rows.table} t WHERE {where}"  # noqa: S608
        ids = [row["key"] for row in await tx.fetch(sql, *parameters) if isinstance(row["key"], UUID)]
        found.by_table.setdefault(rows.table, []).extend(ids)
        if rows.clear is None:
            found.deleted.update(ids)
    return found


async def forget(
    tx: Transaction, declared: Sequence[Rows], org: UUID, person: Person, found: Found
) -> Counts:
    """Remove or clear their rows, children first: how many of each table."""
    counts: Counts = {}
    for rows in reversed(declared):
        whose = condition(rows, org, person, found)
        if whose is None:
            continue
        where, parameters = whose
        tag = await tx.execute(_statement(rows, where), *parameters)
        if number := int(tag.split()[-1]):
            counts[rows.table] = counts.get(rows.table, 0) + number
    return counts


async def read(tx: Transaction, rows: Rows, org: UUID, person: Person, found: Found) -> list[Any]:
    """Their rows of one table, as JSON gives them, without columns of bytes."""
    whose = condition(rows, org, person, found)
    if whose is None:
        return []
    where, parameters = whose
    secret = await bytes_of(tx, rows.table)
    sql = f"SELECT to_jsonb(t) - ${len(parameters) + 1}::text[] AS row FROM {rows.table} t WHERE {where}"  # noqa: S608
    return [row["row"] for row in await tx.fetch(sql, *parameters, secret)]


async def bytes_of(tx: Transaction, table: str) -> list[str]:
    """Columns of a table that hold bytes: hashes, sealed secrets, files."""
    return [row["name"] for row in await tx.fetch(BYTES, table)]


def _statement(rows: Rows, where: str) -> str:
    if rows.clear is None:
        return f"DELETE FROM {rows.table} t WHERE {where}"  # noqa: S608
    columns = ", ".join(f"{column} = {value}" for column, value in rows.clear.items())
    return f"UPDATE {rows.table} t SET {columns} WHERE {where}"  # noqa: S608
