"""The statements that compare a table with its shadow and put the shadow's rows in its place.

Made of names that a service declares and the catalog knows; values are always arguments.
"""

from dataclasses import dataclass
from typing import Final

from flotilla.replay.twins import schema_of
from flotilla.store.postgres import Transaction

COLUMNS: Final = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated <> '' AS generated,
       coalesce(a.attnum = ANY (i.indkey), false) AS key, c.relrowsecurity AS protected
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = $1::regnamespace AND c.relname = $2 ORDER BY a.attnum"""


@dataclass(frozen=True)
class Shape:
    """One table: its names are as SQL quotes them."""

    service: str
    table: str
    key: tuple[tuple[str, str], ...]
    """(column, type) of the primary key."""
    written: tuple[str, ...]
    """All columns that can be written."""
    compared: tuple[str, ...]
    """All but stamps."""
    has_organization: bool
    protected: bool
    """Whether its rows are seen by the transaction's organizations only."""

    @classmethod
    async def read(cls, tx: Transaction, service: str, table: str, stamps: tuple[str, ...]) -> "Shape":
        """As the catalog has it."""
        rows = await tx.fetch(COLUMNS, service, table)
        return cls(
            service=service,
            table=table,
            key=tuple((_quoted(row["name"]), row["type"]) for row in rows if row["key"]),
            written=tuple(_quoted(row["name"]) for row in rows if not row["generated"]),
            compared=tuple(_quoted(row["name"]) for row in rows if row["name"] not in stamps),
            has_organization=any(row["name"] == "organization_id" for row in rows),
            protected=any(row["protected"] for row in rows),
        )

    @property
    def own(self) -> str:
        """The table."""
        return f"{self.service}.{_quoted(self.table)}"

    @property
    def shadow(self) -> str:
        """Its shadow."""
        return f"{schema_of(self.service)}.{_quoted(self.table)}"

    def compare(self, *, partial: bool) -> str:
        """$1 replay, $2 organizations or null: the keys of the rows that differ are written down.

        `ahead`: the table knows something that the shadow does not.
        """
        where = (
            "WHERE $2::uuid[] IS NULL OR organization_id = ANY ($2)"
            if self.has_organization
            else "WHERE $2::uuid[] IS NULL"
        )
        pairs = ", ".join(f"'{name.strip(chr(34))}', coalesce(m.{name}, s.{name})" for name, _ in self.key)
        org = "coalesce(m.organization_id, s.organization_id)" if self.has_organization else "NULL::uuid"
        first = self.key[0][0]
        seen = f"s.{first} IS NOT NULL AND (m.{first} IS NULL OR s.sequence >= m.sequence) AND"
        return f"""
            INSERT INTO replay_differences (replay_id, table_name, organization_id, key, ahead)
            SELECT $1, '{self.table}', {org}, jsonb_build_object({pairs}),
                   m.{first} IS NOT NULL AND (s.{first} IS NULL OR m.sequence > s.sequence)
            FROM (SELECT * FROM {self.own} {where}) AS m
            FULL JOIN (SELECT * FROM {self.shadow} {where}) AS s ON {self._on("m", "s")}
            WHERE {seen if partial else ""} ({_of("m", self.compared)}) IS DISTINCT FROM ({_of("s", self.compared)})
            """  # noqa: S608

    def remove(self) -> str:
        """$1 replay, $2 organizations or null: rows that the shadow has not."""
        return f"""
            DELETE FROM {self.own} AS m USING ({self._keys}) AS k WHERE {self._on("m", "k")}
            AND NOT EXISTS (SELECT FROM {self.shadow} AS s WHERE {self._on("s", "k")})"""  # noqa: S608

    def update(self, *, partial: bool) -> str:
        """$1 replay, $2 organizations or null: rows that differ are as in the shadow."""
        columns = ", ".join(f"{name} = s.{name}" for name in self.written)
        newer = " AND s.sequence >= m.sequence" if partial else ""
        return f"""
            UPDATE {self.own} AS m SET {columns} FROM {self.shadow} AS s, ({self._keys}) AS k
            WHERE {self._on("m", "k")} AND {self._on("s", "k")}
              AND ({_of("m", self.compared)}) IS DISTINCT FROM ({_of("s", self.compared)}){newer}"""  # noqa: S608

    def add(self) -> str:
        """$1 replay, $2 organizations or null: rows that only the shadow has."""
        keys = ", ".join(name for name, _ in self.key)
        return f"""
            INSERT INTO {self.own} ({", ".join(self.written)})
            SELECT {_of("s", self.written)} FROM {self.shadow} AS s JOIN ({self._keys}) AS k ON {self._on("s", "k")}
            ON CONFLICT ({keys}) DO NOTHING"""  # noqa: S608

    @property
    def _keys(self) -> str:
        columns = ", ".join(f"(key->>'{name.strip(chr(34))}')::{type_} AS {name}" for name, type_ in self.key)
        return f"""SELECT {columns} FROM replay_differences
            WHERE replay_id = $1 AND table_name = '{self.table}'
              AND ($2::uuid[] IS NULL OR organization_id = ANY ($2))"""  # noqa: S608

    def _on(self, left: str, right: str) -> str:
        return " AND ".join(f"{left}.{name} = {right}.{name}" for name, _ in self.key)


def _of(alias: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
