"""The condition of a list whose filters are given or not: its text, put together from fixed parts, and its arguments.

    where = Where(org).equal({"owner_id": owner_id, "state": state})
    if after is not None:
        where.also("(starts_at, id) > ({}, {})", *after)
    sql = f"SELECT … FROM bookings WHERE {where} ORDER BY starts_at, id LIMIT {where.argument(limit)}"
    rows = await tx.fetch(sql, *where.arguments)

With every filter in one text (`$2 IS NULL OR owner_id = $2`) the planner could use no index.
"""

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from flotilla.security.reach import only_owner


class Where:
    """Conditions that must all hold; the first is the organization."""

    def __init__(self, org: UUID, *, table: str = "") -> None:
        """`table`: the name or alias by which its columns are said, where there are several."""
        self._begin(table)
        self.equal({"organization_id": org})

    @classmethod
    def without_tenant(cls, filters: Mapping[str, Any]) -> Self:
        """For a table without tenants, exempt or the bus's own: whatever rows fit `filters`, as `equal` takes them."""
        where = cls.__new__(cls)
        where._begin("")
        return where.equal(filters)

    def _begin(self, table: str) -> None:
        self.arguments: list[Any] = []
        self._prefix = f"{table}." if table else ""
        self._conditions: list[str] = []

    def equal(self, filters: Mapping[str, Any]) -> Self:
        """Column → value, or a list of which any will do; None does not matter. Columns are ours, never a caller's."""
        for column, value in filters.items():
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if isinstance(value, list):
                self.also(f"{self._prefix}{column} = ANY({{}})", value)
            elif value is not None:
                self.also(f"{self._prefix}{column} = {{}}", value)
        return self

    def in_reach(self, resource: str, owner: str) -> Self:
        """Where whoever asks sees their own records only: theirs, so that the index of owners is used.

        The table's policy sees to it anyway (flotilla.security.reach), and as a filter of every row.
        """
        return self.equal({owner: only_owner(resource)})

    def also(self, condition: str, *values: object) -> Self:
        """A condition with `{}` for each value."""
        self._conditions.append(condition.format(*(self.argument(value) for value in values)))
        return self

    def argument(self, value: object) -> str:
        """A value's place in the statement: `$n`."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def __str__(self) -> str:
        return " AND ".join(self._conditions) or "true"
