"""Experiments, and the numbers that they are decided by."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_campaign.domain.experiments import Arm
from flotilla_campaign.domain.sequences import Experiment
from flotilla_campaign.store.sequences import Version

COLUMNS: Final = """id, sequence, sequence_id, version, step, metric, least, confidence, looks, winner, begun_at,
decided_at"""
INSERT: Final = """
INSERT INTO experiments (organization_id, id, sequence_id, version, step, metric, least, confidence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
LOCK: Final = f"SELECT {COLUMNS} FROM experiments WHERE organization_id = $1 AND id = $2 FOR UPDATE"  # noqa: S608
LIST: Final = f"""
SELECT {COLUMNS} FROM experiments WHERE organization_id = $1 AND sequence_id = $2
ORDER BY version DESC, step LIMIT 200"""  # noqa: S608
WINNERS: Final = """
SELECT e.organization_id, e.sequence_id, e.version, e.step, e.winner
FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS t (org, sequence_id, version)
JOIN experiments e ON e.organization_id = t.org AND e.sequence_id = t.sequence_id AND e.version = t.version
WHERE e.winner IS NOT NULL"""
# Only those who have had the time to do it.
ARMS: Final = """
SELECT variant, count(*) AS sent,
       count(CASE $5 WHEN 'replied' THEN replied_at WHEN 'clicked' THEN clicked_at ELSE opened_at END) AS converted
FROM sends
WHERE organization_id = $1 AND sequence_id = $2 AND version = $3 AND step = $4 AND variant IS NOT NULL
  AND sent_at <= now() - make_interval(secs => $6)
GROUP BY variant"""
LOOKED: Final = """
UPDATE experiments SET looks = $3, sequence = sequence + 1, winner = $4, decided_at = CASE WHEN $5 THEN now() END
WHERE organization_id = $1 AND id = $2 AND decided_at IS NULL RETURNING sequence, decided_at"""


async def add(
    tx: Transaction, org: UUID, id_: UUID, place: tuple[UUID, int, int], wanted: Experiment
) -> None:
    """Begin one, of (sequence, version, step)."""
    await tx.execute(INSERT, org, id_, *place, wanted.metric, wanted.least, wanted.confidence)


async def lock(tx: Transaction, org: UUID, id_: UUID) -> Row | None:
    """One, held until the commit."""
    return await tx.fetchrow(LOCK, org, id_)


async def of_sequence(tx: Transaction, org: UUID, sequence_id: UUID) -> list[Row]:
    """Those of a sequence, of the newest version first."""
    return await tx.fetch(LIST, org, sequence_id)


async def winners(tx: Transaction, versions: Sequence[Version]) -> dict[Version, dict[int, str]]:
    """The texts that were found to be the best in these versions, by step."""
    found: dict[Version, dict[int, str]] = {}
    if versions:
        for row in await tx.fetch(WINNERS, *[list(column) for column in zip(*versions, strict=True)]):
            version = (row["organization_id"], row["sequence_id"], row["version"])
            found.setdefault(version, {})[row["step"]] = row["winner"]
    return found


async def arms(
    tx: Transaction, org: UUID, row: Row, names: Sequence[str], settle_seconds: float
) -> list[Arm]:
    """The numbers of each text."""
    place = (row["sequence_id"], row["version"], row["step"])
    found = {
        arm["variant"]: Arm(arm["variant"], arm["sent"], arm["converted"])
        for arm in await tx.fetch(ARMS, org, *place, row["metric"], settle_seconds)
    }
    return [found.get(name, Arm(name, 0, 0)) for name in names]


async def looked(
    tx: Transaction, org: UUID, id_: UUID, looks: int, winner: str | None, *, over: bool
) -> Row | None:
    """So often by now, and maybe decided: its next sequence and when; none where it had been decided before."""
    return await tx.fetchrow(LOOKED, org, id_, looks, winner, over)
