"""What is sealed is declared, so that no column is forgotten when keys rotate; and what is declared is there."""

import re
from typing import Final

import asyncpg
from flotilla.service import Service

from checks.tables import Complaint

BYTES: Final = """
SELECT c.relname AS table, a.attname AS column FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'bytea'::regtype ORDER BY 1, 2"""
PRIMARY_KEYS: Final = """
SELECT i.indrelid::regclass::text AS table, array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid,
     unnest(i.indkey) WITH ORDINALITY AS k (number, place) JOIN pg_attribute a ON a.attnum = k.number
WHERE a.attrelid = i.indrelid AND i.indisprimary AND c.relnamespace = $1::regnamespace GROUP BY 1"""
SOUNDS_SEALED: Final = re.compile(r"sealed|wrapped|encrypted|cipher")
UNDER_OTHER_KEYS: Final[dict[tuple[str, str, str], str]] = {
    (
        "analytics",
        "archive",
        "sealed",
    ): "under a person's own key, which is in person_keys; ciphertext is what is chained",
}
"""(service, table, column) → under what its values are, if not under the master keys."""


async def check_sealed(connection: asyncpg.Connection, service: Service) -> list[Complaint]:
    """One service's schema, against what its service.py says."""
    found = {(row["table"], row["column"]) for row in await connection.fetch(BYTES, service.name)}
    keys = {
        row["table"].rpartition(".")[2]: set(row["columns"])
        for row in await connection.fetch(PRIMARY_KEYS, service.name)
    }
    declared = {(each.table, each.column): each for each in service.sealed}
    complaints: list[Complaint] = []
    for table, column in sorted(found - declared.keys()):
        if SOUNDS_SEALED.search(column) and (service.name, table, column) not in UNDER_OTHER_KEYS:
            complaints.append(
                (table, f"{column} is sealed, but service.py does not say so: keys would rotate past it")
            )
    for (table, column), each in declared.items():
        if (table, column) not in found:
            complaints.append((table, f"{column} is declared as sealed and is no column of bytes"))
        elif keys.get(table) != set(each.key):
            complaints.append((table, f"{column}: its declared key {each.key} is not the table's"))
    return complaints
