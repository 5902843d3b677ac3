"""Runs, and the ledger of what they did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_automation.domain.rules import Plan, read_plan
from flotilla_automation.domain.runs import Run, RunState

COLUMNS: Final = """id, sequence, rule_id, version, event_id, event_type, subject, correlation_id, depth, state, reason,
step, clock, conversation_id, awaits, after_position, explanation, event, started_at, ended_at"""
TYPES: Final = """organization_id uuid, id uuid, sequence bigint, rule_id uuid, version integer, event_id uuid,
event_type text, subject text, correlation_id uuid, depth integer, state text, reason text, step integer,
clock timestamptz, conversation_id uuid, awaits text, after_position integer, explanation jsonb, event text,
started_at timestamptz, ended_at timestamptz"""

# The order of the rows is the order of the locks.
INSERT: Final = f"""
INSERT INTO runs (organization_id, {COLUMNS})
SELECT organization_id, {COLUMNS} FROM jsonb_to_recordset($1) AS t ({TYPES})
ORDER BY organization_id, rule_id, event_id
ON CONFLICT (organization_id, rule_id, event_id) DO NOTHING RETURNING id"""  # noqa: S608

UPDATE: Final = f"""
UPDATE runs SET sequence = runs.sequence + 1, state = t.state, reason = t.reason, step = t.step, clock = t.clock,
    conversation_id = t.conversation_id, awaits = t.awaits, after_position = t.after_position, event = t.event,
    ended_at = t.ended_at
FROM jsonb_to_recordset($1) AS t ({TYPES})
WHERE runs.organization_id = t.organization_id AND runs.id = t.id"""  # noqa: S608

# Who lives is seen here, not there: with `ended_at IS NULL` Postgres takes the index of those that live, which is the
# smaller one, and reads all of an organization's for each of these.
LOCK: Final = f"""
SELECT organization_id, {COLUMNS} FROM runs
WHERE (organization_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
ORDER BY organization_id, id FOR UPDATE"""  # noqa: S608

PLANS: Final = """
SELECT v.organization_id, v.rule_id, v.version, v.trigger, v.condition, v.actions, v.schedule, r.name
FROM rule_versions v JOIN rules r ON r.organization_id = v.organization_id AND r.id = v.rule_id
WHERE (v.organization_id, v.rule_id, v.version) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[]))"""

READ: Final = f"SELECT organization_id, {COLUMNS} FROM runs WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT organization_id, {COLUMNS} FROM runs"  # noqa: S608

BEGIN_EFFECTS: Final = """
INSERT INTO effects (organization_id, rule_id, version, event_id, step, run_id, kind, request_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::int[], $6::uuid[], $7::text[], $8::uuid[])
ON CONFLICT DO NOTHING RETURNING organization_id, run_id, step"""
END_EFFECTS: Final = """
UPDATE effects AS e SET state = t.state, reason = t.reason, over_at = now()
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[]) AS t (org, run_id, step, state, reason)
WHERE e.organization_id = t.org AND e.run_id = t.run_id AND e.step = t.step AND e.state = 'begun'"""
EFFECTS: Final = """
SELECT step, kind, request_id, state, reason, begun_at, over_at FROM effects
WHERE organization_id = $1 AND run_id = $2 ORDER BY step"""
ASKED: Final = """
SELECT organization_id, run_id, request_id, kind FROM effects
WHERE (organization_id, request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) AND state = 'begun'"""

PARENTS: Final = """
SELECT t.organization_id, t.correlation_id, t.request_id,
       coalesce((SELECT r.depth FROM effects e
                 JOIN runs r ON r.organization_id = e.organization_id AND r.id = e.run_id
                 WHERE e.organization_id = t.organization_id AND e.request_id = t.request_id),
                (SELECT max(r.depth) FROM runs r
                 WHERE r.organization_id = t.organization_id AND r.correlation_id = t.correlation_id
                   AND r.state <> 'skipped')) AS depth
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (organization_id, correlation_id, request_id)"""

COUNT_MINUTE: Final = """
INSERT INTO minutes (organization_id, minute, runs)
SELECT org, date_trunc('minute', now()), n FROM unnest($1::uuid[], $2::int[]) AS t (org, n) ORDER BY org
ON CONFLICT (organization_id, minute) DO UPDATE SET runs = minutes.runs + excluded.runs
RETURNING organization_id, runs"""

COUNT_DAY: Final = """
INSERT INTO days (organization_id, day, runs)
SELECT org, (now() AT TIME ZONE 'UTC')::date, n FROM unnest($1::uuid[], $2::int[]) AS t (org, n) ORDER BY org
ON CONFLICT (organization_id, day) DO UPDATE SET runs = days.runs + excluded.runs
RETURNING organization_id, runs"""

MOVE_POSITIONS: Final = """
INSERT INTO conversation_positions (organization_id, conversation_id, side, position)
SELECT org, conversation_id, side, max(position)
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[]) AS t (org, conversation_id, side, position)
GROUP BY org, conversation_id, side ORDER BY org, conversation_id, side
ON CONFLICT (organization_id, conversation_id, side) DO UPDATE
SET position = greatest(conversation_positions.position, excluded.position), moved_at = now()"""
POSITIONS: Final = """
SELECT organization_id, conversation_id, side, position FROM conversation_positions
WHERE (organization_id, conversation_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"""
AWAITING: Final = """
SELECT DISTINCT r.organization_id, r.id FROM runs r
JOIN unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[]) AS t (organization_id, conversation_id, side, position)
  ON r.organization_id = t.organization_id AND r.conversation_id = t.conversation_id AND r.awaits = t.side
WHERE r.state = 'awaiting_reply' AND r.after_position < t.position"""

RunKey = tuple[UUID, UUID]
"""(organization, run)."""
End = tuple[Run, str, str | None]
"""A run, what came of its present step, and why."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message in a conversation: who wrote it and where it stands."""

    organization_id: UUID
    conversation_id: UUID
    side: str
    position: int


async def insert(tx: Transaction, runs: Sequence[Run]) -> set[UUID]:
    """Write runs: the ids of those whose event had not triggered their rule before."""
    rows = await tx.fetch(INSERT, [_record(run) for run in runs]) if runs else []
    return {row["id"] for row in rows}


async def save(tx: Transaction, runs: Sequence[Run]) -> None:
    """Write where they stand; each has the next sequence then."""
    if runs:
        await tx.execute(UPDATE, [_record(run) for run in runs])


async def lock(tx: Transaction, keys: Sequence[RunKey]) -> list[Run]:
    """Those of these that live, held until the commit, always in one order."""
    rows = await tx.fetch(LOCK, [org for org, _ in keys], [run_id for _, run_id in keys])
    return [_run(row) for row in rows if row["ended_at"] is None]


async def plans(tx: Transaction, runs: Sequence[Run]) -> dict[tuple[UUID, UUID, int], tuple[Plan, str]]:
    """The versions these runs keep to, and the rules' names: by (organization, rule, version)."""
    wanted = sorted({(run.organization_id, run.rule_id, run.version) for run in runs})
    columns = [list(column) for column in zip(*wanted, strict=True)] or [[], [], []]
    return {
        (row["organization_id"], row["rule_id"], row["version"]): (
            read_plan(row["trigger"], row["condition"], row["actions"], row["schedule"]),
            row["name"],
        )
        for row in await tx.fetch(PLANS, *columns)
    }


async def read(tx: Transaction, org: UUID, run_id: UUID) -> Run | None:
    """One run."""
    row = await tx.fetchrow(READ, org, run_id)
    return None if row is None else _run(row)


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Run]:
    """Runs that fit, in this order, those after the one with the key `after`. `filters`: column → value."""
    return [_run(row) for row in await order.read(tx, LIST, Where(org).equal(filters), after, limit)]


async def begin_effects(tx: Transaction, steps: Sequence[tuple[Run, str]]) -> set[tuple[UUID, UUID, int]]:
    """Enter steps, of runs and their kinds, in the ledger: (organization, run, step) of those not done before."""
    rows = await tx.fetch(
        BEGIN_EFFECTS,
        [run.organization_id for run, _ in steps],
        [run.rule_id for run, _ in steps],
        [run.version for run, _ in steps],
        [run.event_id for run, _ in steps],
        [run.step for run, _ in steps],
        [run.id for run, _ in steps],
        [kind for _, kind in steps],
        [run.request_id() for run, _ in steps],
    )
    return {(row["organization_id"], row["run_id"], row["step"]) for row in rows}


async def end_effects(tx: Transaction, ends: Sequence[End]) -> None:
    """Say what came of runs' present steps."""
    if not ends:
        return
    await tx.execute(
        END_EFFECTS,
        [run.organization_id for run, _, _ in ends],
        [run.id for run, _, _ in ends],
        [run.step for run, _, _ in ends],
        [state for _, state, _ in ends],
        [reason for _, _, reason in ends],
    )


async def effects(tx: Transaction, org: UUID, run_id: UUID) -> list[Row]:
    """What a run did, step by step."""
    return await tx.fetch(EFFECTS, org, run_id)


async def asked(tx: Transaction, requests: Sequence[tuple[UUID, UUID]]) -> list[Row]:
    """Steps that are still to be answered, by (organization, request)."""
    return await tx.fetch(ASKED, [org for org, _ in requests], [id_ for _, id_ in requests])


async def depths(
    tx: Transaction, caused: Sequence[tuple[UUID, UUID, UUID | None]]
) -> dict[tuple[UUID, UUID, UUID | None], int | None]:
    """The depth of the run behind each (organization, correlation, request); none where there is no such run."""
    columns = [list(column) for column in zip(*caused, strict=True)]
    rows = await tx.fetch(PARENTS, *columns)
    return {(row["organization_id"], row["correlation_id"], row["request_id"]): row["depth"] for row in rows}


async def count_minute(tx: Transaction, begun: Mapping[UUID, int]) -> dict[UUID, int]:
    """Add runs to their organizations' present minute: how many it has now."""
    rows = await tx.fetch(COUNT_MINUTE, list(begun), list(begun.values()))
    return {row["organization_id"]: row["runs"] for row in rows}


async def count_day(tx: Transaction, begun: Mapping[UUID, int]) -> dict[UUID, int]:
    """Add runs to their organizations' present day, in UTC: how many it has now."""
    rows = await tx.fetch(COUNT_DAY, list(begun), list(begun.values()))
    return {row["organization_id"]: row["runs"] for row in rows}


async def move_positions(tx: Transaction, written: Sequence[Written]) -> None:
    """Note how far each side has written."""
    await tx.execute(MOVE_POSITIONS, *_columns(written))


async def positions(
    tx: Transaction, conversations: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], dict[str, int]]:
    """How far each side is known to have written, by (organization, conversation)."""
    found: dict[tuple[UUID, UUID], dict[str, int]] = {}
    rows = await tx.fetch(POSITIONS, [org for org, _ in conversations], [id_ for _, id_ in conversations])
    for row in rows:
        found.setdefault((row["organization_id"], row["conversation_id"]), {})[row["side"]] = row["position"]
    return found


async def awaiting(tx: Transaction, written: Sequence[Written]) -> list[RunKey]:
    """Runs that waited to miss one of these messages."""
    rows = await tx.fetch(AWAITING, *_columns(written))
    return [(row["organization_id"], row["id"]) for row in rows]


def _columns(written: Sequence[Written]) -> list[list[Any]]:
    return [
        [each.organization_id for each in written],
        [each.conversation_id for each in written],
        [each.side for each in written],
        [each.position for each in written],
    ]


def _record(run: Run) -> dict[str, Any]:
    return {each.name: getattr(run, each.name) for each in fields(run)}


def _run(row: Row) -> Run:
    values = {each.name: row[each.name] for each in fields(Run)}
    return Run(**{**values, "state": RunState(row["state"])})
