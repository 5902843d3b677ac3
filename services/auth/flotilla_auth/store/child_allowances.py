"""Which organizations' plans let them look after others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

KEEP: Final = """
INSERT INTO child_allowances (organization_id, enabled, used_up, sequence)
SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::boolean[], $4::bigint[])
ON CONFLICT (organization_id) DO UPDATE
SET enabled = excluded.enabled, used_up = excluded.used_up, sequence = excluded.sequence
WHERE child_allowances.sequence < excluded.sequence"""

READ: Final = "SELECT enabled, used_up FROM child_allowances WHERE organization_id = $1"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a plan says of children."""

    enabled: bool = False
    used_up: bool = False
    """Whether there are as many as were agreed."""


async def keep(tx: Transaction, told: Sequence[tuple[UUID, bool, bool, int]]) -> None:
    """(organization, enabled, used up, sequence), the newest of each."""
    await tx.execute(KEEP, *([each[place] for each in told] for place in range(4)))


async def read(tx: Transaction, org: UUID) -> Allowance:
    """Of an organization that nothing was said of: nothing is allowed."""
    row = await tx.fetchrow(READ, org)
    return Allowance(**row) if row is not None else Allowance()
