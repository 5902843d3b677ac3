"""SQL of a service's declared rows: whose they are, forgetting them, and reading them out.

Made of names that stand in the service's code; ids go as parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from flotilla.privacy.declare import Counts, Person, Rows
from flotilla.privacy.redaction import body_without_personal
from flotilla.store.postgres import Transaction

BYTES: Final = """
SELECT attname AS name FROM pg_attribute
WHERE attrelid = $1::text::regclass AND atttypid = 'bytea'::regtype AND NOT attisdropped"""
Condition = tuple[str, list[Any]]
"""Whose rows, and its parameters."""


@dataclass
class Found:
    """What belongs to somebody in one service: the ids of their rows."""

    by_table: dict[str, list[UUID]] = field(default_factory=dict)
    by_place: dict[int, list[UUID]] = field(default_factory=dict)
    """By the place of the declaration: still theirs when a foreign key has let go of them."""
    deleted: set[UUID] = field(default_factory=set)
    """Of rows that go as a whole."""

    def names(self, person: Person) -> list[UUID]:
        """Every id that speaks of them."""
        return sorted({*person.ids, *(id_ for ids in self.by_table.values() for id_ in ids)})


async def find(tx: Transaction, declared: Sequence[Rows], org: UUID, person: Person) -> Found:
    """The ids of all their rows, parents first."""
    found = Found()
    for place, rows in enumerate(declared):
        if rows.key is None or (whose := _condition(rows, org, person, found)) is None:
            continue
        where, parameters = whose
        sql = f"SELECT t.{rows.key} AS key FROM {rows.table} t WHERE {where}"  # noqa: S608
        ids = [row["key"] for row in await tx.fetch(sql, *parameters)]
        found.by_place[place] = ids
        found.by_table.setdefault(rows.table, []).extend(ids)
        if rows.clear is None and rows.redact is None:
            found.deleted.update(ids)
    return found


async def forget(
    tx: Transaction, declared: Sequence[Rows], org: UUID, person: Person, found: Found
) -> Counts:
    """Remove, clear or redact their rows, children first: how many of each table."""
    counts: Counts = {}
    for place, rows in reversed(list(enumerate(declared))):
        whose = _held(rows, place, org, found) or _condition(rows, org, person, found)
        if whose is None or rows.clear == {}:
            continue
        if rows.redact is not None:
            number = await _redact(tx, rows, rows.redact, whose)
        else:
            number = int((await tx.execute(_statement(rows, whose[0]), *whose[1])).split()[-1])
        # What went already with a parent, or by the service's own hand, was found all the same.
        if number := len(found.by_place.get(place, ())) or number:
            counts[rows.table] = counts.get(rows.table, 0) + number
    return counts


async def read(
    tx: Transaction, declared: Sequence[Rows], place: int, org: UUID, person: Person, found: Found
) -> list[Any]:
    """Their rows of one declaration, as JSON gives them, without columns of bytes."""
    rows = declared[place]
    whose = _held(rows, place, org, found) or _condition(rows, org, person, found)
    if whose is None:
        return []
    where, parameters = whose
    secret = await bytes_of(tx, rows.table)
    sql = f"SELECT to_jsonb(t) - ${len(parameters) + 1}::text[] AS row FROM {rows.table} t WHERE {where}"  # noqa: S608
    return [row["row"] for row in await tx.fetch(sql, *parameters, secret)]


async def bytes_of(tx: Transaction, table: str) -> list[str]:
    """Columns of a table that hold bytes: hashes, sealed secrets, files."""
    return [row["name"] for row in await tx.fetch(BYTES, table)]


def _held(rows: Rows, place: int, org: UUID, found: Found) -> Condition | None:
    ids = found.by_place.get(place)
    return None if ids is None else (f"t.organization_id = $1 AND t.{rows.key} = ANY($2::uuid[])", [org, ids])


def _condition(rows: Rows, org: UUID, person: Person, found: Found) -> Condition | None:
    """None where nobody's can be there."""
    parameters: list[Any] = [org]
    parts: list[str] = []

    def add(part: str, ids: Sequence[UUID]) -> None:
        if ids:
            parameters.append(list(ids))
            parts.append(part.format(f"${len(parameters)}::uuid[]"))

    kinds = (
        (rows.contact, person.contacts),
        (rows.identity, person.identities),
        (rows.user, person.users),
        (rows.conversation, person.conversations),
    )
    for columns, ids in kinds:
        for column in columns:
            add(f"t.{column} = ANY({{}})", ids)
    for column, table in rows.via:
        add(f"t.{column} = ANY({{}})", found.by_table.get(table, ()))
    for column in rows.naming:
        add(f"uuids_in(t.{column}) && {{}}", found.names(person))
    return (f"t.organization_id = $1 AND ({' OR '.join(parts)})", parameters) if parts else None


async def _redact(tx: Transaction, rows: Rows, column: str, whose: Condition) -> int:
    where, parameters = whose
    place = "t.tableoid::bigint AS part, t.ctid::text AS place"
    sql = f"SELECT {place}, t.{column} AS body FROM {rows.table} t WHERE {where} FOR UPDATE"  # noqa: S608
    found = await tx.fetch(sql, *parameters)
    bodies = [body_without_personal(row["body"]) or b"{}" for row in found]
    if found:
        rewrite = (
            f"UPDATE {rows.table} t SET {column} = n.body"  # noqa: S608
            " FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS n (part, place, body)"
            " WHERE t.tableoid::bigint = n.part AND t.ctid = n.place::tid"
        )
        await tx.execute(rewrite, [row["part"] for row in found], [row["place"] for row in found], bodies)
    return len(found)


def _statement(rows: Rows, where: str) -> str:
    if rows.clear is None:
        return f"DELETE FROM {rows.table} t WHERE {where}"  # noqa: S608
    columns = ", ".join(f"{column} = {value}" for column, value in rows.clear.items())
    return f"UPDATE {rows.table} t SET {columns} WHERE {where}"  # noqa: S608
