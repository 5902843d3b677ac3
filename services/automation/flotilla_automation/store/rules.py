"""Rules and their versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_automation.domain.rules import Rule, RuleState

COLUMNS: Final = """r.id, r.sequence, r.name, r.state, r.position, r.version, v.trigger, v.condition, v.actions,
v.schedule, r.created_at, r.updated_at"""
JOINED: Final = """rules r JOIN rule_versions v
ON v.organization_id = r.organization_id AND v.rule_id = r.id AND v.version = r.version"""

INSERT: Final = """
INSERT INTO rules (organization_id, id, name, state, position, version, trigger)
VALUES ($1, $2, $3, $4, $5, 1, $6)"""

INSERT_VERSION: Final = """
INSERT INTO rule_versions (organization_id, rule_id, version, trigger, condition, actions, schedule)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""

UPDATE: Final = """
UPDATE rules SET sequence = sequence + 1, updated_at = now(), name = $3, state = $4, position = $5, version = $6,
                 trigger = $7
WHERE organization_id = $1 AND id = $2"""

LOCK: Final = "SELECT id FROM rules WHERE organization_id = $1 AND id = $2 FOR UPDATE"
READ: Final = f"SELECT {COLUMNS} FROM {JOINED} WHERE r.organization_id = $1 AND r.id = $2"  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM {JOINED}"  # noqa: S608
COUNT: Final = """
SELECT count(*) AS rules, coalesce(max(position), 0) AS last FROM rules
WHERE organization_id = $1 AND state <> 'deleted'"""
NOW: Final = "SELECT now()"
ENABLED: Final = """
SELECT count(*) FROM rules WHERE organization_id = $1 AND state = 'enabled' AND id <> $2"""
# One at a time makes rules: the count is of those that others have committed.
LOCK_ORGANIZATION: Final = "SELECT pg_advisory_xact_lock(hashtextextended('rules ' || $1::uuid::text, 0))"

WAITING: Final = f"""
SELECT r.organization_id, {COLUMNS} FROM (
    SELECT DISTINCT * FROM unnest($1::uuid[], $2::text[]) AS t (organization_id, trigger)) AS came
JOIN rules r ON r.organization_id = came.organization_id AND r.trigger = came.trigger AND r.state = 'enabled'
JOIN rule_versions v ON v.organization_id = r.organization_id AND v.rule_id = r.id AND v.version = r.version
ORDER BY r.organization_id, r.position, r.id"""  # noqa: S608


async def add(tx: Transaction, org: UUID, rule: Rule) -> Rule:
    """Write a new rule."""
    await tx.execute(INSERT, org, rule.id, rule.name, rule.state, rule.position, rule.trigger)
    await _add_version(tx, org, rule)
    return await _known(tx, org, rule.id)


async def save(tx: Transaction, org: UUID, rule: Rule, *, new_version: bool) -> Rule:
    """Write a changed rule: the result has the next sequence."""
    await tx.execute(UPDATE, org, rule.id, rule.name, rule.state, rule.position, rule.version, rule.trigger)
    if new_version:
        await _add_version(tx, org, rule)
    return await _known(tx, org, rule.id)


async def read(tx: Transaction, org: UUID, rule_id: UUID, *, lock: bool = False) -> Rule | None:
    """The rule, deleted ones too; held until the commit with `lock`."""
    if lock:
        await tx.execute(LOCK, org, rule_id)
    row = await tx.fetchrow(READ, org, rule_id)
    return None if row is None else _rule(row)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Rule]:
    """Rules in this order (of `r`), those after the one with the key `after`."""
    where = Where(org, table="r").also("r.state <> 'deleted'")
    return [_rule(row) for row in await order.read(tx, LIST, where, after, limit)]


async def count(tx: Transaction, org: UUID) -> tuple[int, int]:
    """How many rules there are, and the last one's position; others wait until this transaction ends."""
    await tx.execute(LOCK_ORGANIZATION, org)
    row = await tx.fetchrow(COUNT, org)
    assert row is not None
    return row["rules"], row["last"]


async def now(tx: Transaction) -> datetime:
    """When this transaction began, by the database's clock: timers are fired by it too."""
    moment: datetime = await tx.fetchval(NOW)
    return moment


async def enabled_beside(tx: Transaction, org: UUID, rule_id: UUID) -> int:
    """How many others are enabled; who enables one too waits until this transaction ends."""
    await tx.execute(LOCK_ORGANIZATION, org)
    return int(await tx.fetchval(ENABLED, org, rule_id))


async def waiting(tx: Transaction, came: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], list[Rule]]:
    """Enabled rules by (organization, trigger), in the order in which they run."""
    found: dict[tuple[UUID, str], list[Rule]] = {}
    rows = await tx.fetch(WAITING, [org for org, _ in came], [type_ for _, type_ in came])
    for row in rows:
        found.setdefault((row["organization_id"], row["trigger"]), []).append(_rule(row))
    return found


async def _add_version(tx: Transaction, org: UUID, rule: Rule) -> None:
    said = (rule.trigger, rule.condition, rule.actions, rule.schedule)
    await tx.execute(INSERT_VERSION, org, rule.id, rule.version, *said)


async def _known(tx: Transaction, org: UUID, rule_id: UUID) -> Rule:
    rule = await read(tx, org, rule_id)
    assert rule is not None
    return rule


def _rule(row: Row) -> Rule:
    values: dict[str, Any] = {key: row[key] for key in Rule.__dataclass_fields__}
    return Rule(**{**values, "state": RuleState(row["state"])})
