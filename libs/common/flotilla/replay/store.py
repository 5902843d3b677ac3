"""SQL of replays: the bus's tables of a service. No tenants: reached through `flotilla.replay` only."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import msgspec

from flotilla.replay.wire import Opening
from flotilla.store.postgres import Database, Row, Transaction

CLOSE_GATE: Final = "SELECT close_replay_gate()"
KNOWN: Final = "SELECT state FROM replays WHERE id = $1"
OPEN: Final = "SELECT id FROM replays WHERE state IN ('filling', 'failing')"
INSERT: Final = """
INSERT INTO replays (id, organization_id, state, projections, opening, position, reason, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $3 = 'failed' THEN now() END) ON CONFLICT (id) DO NOTHING RETURNING id"""

BEGUN: Final = "UPDATE replays SET begun = begun + 1 WHERE id = $1 AND state = 'filling' RETURNING begun"
# NO KEY: live transactions that write notices refer to the row, and must not wait for it.
POSITION: Final = "SELECT position FROM replays WHERE id = $1 AND state = 'filling' FOR NO KEY UPDATE"
ADVANCE: Final = """
UPDATE replays SET position = greatest(position, $2), events = events + $3, begun = 0, heard_at = now(),
                   caught_up_at = coalesce(caught_up_at, CASE WHEN $4 THEN now() END)
WHERE id = $1"""
PROJECTIONS: Final = "SELECT projections FROM replays WHERE id = $1"
KEEP_ORGANIZATIONS: Final = """
INSERT INTO replay_organizations (replay_id, organization_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING"""
KEEP_NOTICES: Final = """
INSERT INTO replay_notices (replay_id, channel, payload) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT DO NOTHING"""
GIVE_UP: Final = (
    "UPDATE replays SET state = 'failing', reason = $2 WHERE id = $1 AND state = 'filling' RETURNING id"
)

SILENT: Final = """
UPDATE replays SET state = 'failing', reason = 'the archive has sent nothing for ' || $1::interval
WHERE state = 'filling' AND heard_at < now() - $1::interval"""
FAILING: Final = "SELECT * FROM replays WHERE state = 'failing'"
# While the old generation is ahead, comparing is for now and then: it reads both of them whole.
CAUGHT_UP: Final = """
SELECT id FROM replays WHERE state = 'filling' AND caught_up_at IS NOT NULL
  AND (compared_at IS NULL OR compared_at < now() - $1::interval / 6)"""
COMPARED: Final = "UPDATE replays SET compared_at = now() WHERE id = $1"
LOCK: Final = """
SELECT *, caught_up_at < now() - $2::interval AS settled FROM replays
WHERE id = $1 AND state = 'filling' AND caught_up_at IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED"""
ORGANIZATIONS: Final = """
SELECT organization_id FROM replay_organizations WHERE replay_id = $1 ORDER BY organization_id"""
NOTICES: Final = "SELECT channel, payload FROM replay_notices WHERE replay_id = $1"
WAKE: Final = "UPDATE parked_events SET state = 'waiting', due_at = now() WHERE waiting_for IS NOT NULL"
END: Final = """
UPDATE replays SET state = $2, ended_at = now() WHERE id = $1 AND state IN ('filling', 'failing') RETURNING *"""
FORGET: Final = """
WITH a AS (DELETE FROM replay_organizations WHERE replay_id = $1),
     b AS (DELETE FROM replay_notices WHERE replay_id = $1)
DELETE FROM replay_differences WHERE replay_id = $1"""


async def insert(
    tx: Transaction, id_: UUID, opening: Opening, projections: Sequence[str], reason: str | None
) -> bool:
    """Write a replay down, ended already where there is a reason; False where it was known."""
    state = "filling" if reason is None else "failed"
    row = await tx.fetchval(
        INSERT,
        id_,
        opening.organization_id,
        state,
        list(projections),
        msgspec.to_builtins(opening),
        opening.position,
        reason,
    )
    return row is not None


async def begun(db: Database, id_: UUID) -> int:
    """Write down that the next stretch is begun: how often it has been; 0 where the replay is not open."""
    return int(await db.fetchval(BEGUN, id_) or 0)


async def position(tx: Transaction, id_: UUID) -> int | None:
    """Up to where the shadow is filled, held until the end of the transaction; None where the replay is not open."""
    found: int | None = await tx.fetchval(POSITION, id_)
    return found


async def advance(tx: Transaction, id_: UUID, upto: int, events: int, *, caught_up: bool) -> None:
    """The shadow is filled up to here, with so many events more."""
    await tx.execute(ADVANCE, id_, upto, events, caught_up)


async def keep_organizations(tx: Transaction, id_: UUID, organizations: Sequence[UUID]) -> None:
    """Their rows will be compared."""
    if organizations:
        await tx.execute(KEEP_ORGANIZATIONS, id_, sorted(organizations))


async def keep_notices(tx: Transaction, id_: UUID, notices: Collection[tuple[str, str]]) -> None:
    """To be told at the end."""
    if notices:
        channels, payloads = zip(*sorted(notices), strict=True)
        await tx.execute(KEEP_NOTICES, id_, list(channels), list(payloads))


async def give_up(tx: Transaction, id_: UUID, reason: str) -> None:
    """It will fail, for this reason; where it is open."""
    await tx.execute(GIVE_UP, id_, reason)


async def end(tx: Transaction, id_: UUID, state: str) -> Row | None:
    """It has ended: its row, to whoever ended it; None to everybody else."""
    row = await tx.fetchrow(END, id_, state)
    if row is not None:
        await tx.execute(FORGET, id_)
    return row
