"""Projections that could not be built anew, or whose rows somebody else writes, are found."""

from pathlib import Path
from typing import Any

import pytest
from flotilla.bus.declare import Handler, projection, reaction
from flotilla.events.crm import CompanyCreated
from flotilla.service import Service

from checks.project import Source
from checks.projections import _foreign, undeclared

GUARDED = "INSERT INTO users VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = 1 WHERE users.sequence < excluded.sequence"


async def keep(*args: Any) -> None:
    """A handler."""


def said(*handlers: Handler) -> list[str]:
    return [message for _, message in undeclared(Service("kyb", handlers=handlers))]


def test_each_projection_has_tables_of_its_own_or_a_reason() -> None:
    own = projection(CompanyCreated, lane="x", tables=("companies",))(keep)
    reason = projection(CompanyCreated, lane="x", not_rebuilt="its rows are others' too")(keep)
    assert said(own, reason, reaction(CompanyCreated, lane="x")(keep)) == []
    neither = projection(CompanyCreated, lane="x")(keep)
    both = projection(CompanyCreated, lane="x", tables=("a",), not_rebuilt="why")(keep)
    assert len(said(neither)) == len(said(both)) == 1
    assert said(own, projection(CompanyCreated, lane="x", tables=("companies",))(keep)) == [
        "companies is a table of keep too: each of its own"
    ]


@pytest.mark.parametrize(
    ("sql", "findings"),
    [
        (GUARDED, 0),
        ("SELECT 1 FROM users", 0),
        ("UPDATE users_of_others SET a = 1", 0),
        ("UPDATE users SET a = 1", 1),
        ("DELETE FROM users WHERE a", 1),
        ("INSERT INTO users VALUES ($1)", 1),
    ],
)
def test_a_statement_of_somebody_else_is_found(sql: str, findings: int) -> None:
    source = Source(Path("store.py"), f'X = "{sql}"\nY = f"{sql} {{X}}"\n')
    # An f-string is seen as a whole, and by its parts.
    assert len({finding.line for finding in _foreign(source, {"users"})}) == 2 * findings
