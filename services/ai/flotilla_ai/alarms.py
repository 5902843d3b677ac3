"""Timers that many transactions want and one of them sets: usage reports, the end of undecided drafts.

Each process remembers what it saw set, so that a busy organization's batches do not all write, and wait for,
the same row of `jobs`.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.ai import UsageRecorded
from flotilla.store.postgres import Transaction

from flotilla_ai.events import Origin, tell
from flotilla_ai.settings import AiSettings
from flotilla_ai.store import drafts, usage

REPORT_USAGE: Final = "report_usage"
EXPIRE_DRAFTS: Final = "expire_drafts"
BUCKETS: Final = 24
"""Drafts that expire within this part of their time expire together."""
ACTOR: Final = "service:ai"


class Nothing(msgspec.Struct, frozen=True):
    """The organization, which is the timer's own, is all that its firing needs."""


class Alarms:
    """What this process saw set, and until when it need not look again."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def is_set(self, kind: str, key: str) -> bool:
        """Whether it certainly was set not long ago."""
        return self._until.get((kind, key), 0.0) > time.monotonic()

    def remember(self, kind: str, key: str, seconds: float) -> None:
        """It was set."""
        now = time.monotonic()
        if len(self._until) > 10_000:
            self._until = {alarm: until for alarm, until in self._until.items() if until > now}
        self._until[kind, key] = now + seconds


def report_usage_soon(tx: Transaction, orgs: Iterable[UUID]) -> None:
    """Have usage told of within some seconds."""
    every = _settings(tx).ai_usage_every_seconds
    for org in sorted(set(orgs)):
        _arm(tx, REPORT_USAGE, str(org), org, datetime.now(UTC) + timedelta(seconds=every), every)


def expire_drafts_later(tx: Transaction, orgs: Iterable[UUID]) -> None:
    """Have drafts generated now end once they are too old to be sent."""
    within = _settings(tx).ai_decide_within_seconds
    span = within / BUCKETS
    bucket = int(time.time() / span)
    due_at = datetime.fromtimestamp((bucket + 1) * span + within, UTC)
    for org in sorted(set(orgs)):
        _arm(tx, EXPIRE_DRAFTS, f"{org}:{bucket}", org, due_at, span)


def _arm(tx: Transaction, kind: str, key: str, org: UUID, due_at: datetime, seconds: float) -> None:
    alarms: Alarms = tx.app.own.alarms
    if not alarms.is_set(kind, key):
        # As a job: one that stands already is left as it is, a timer would be moved again and again.
        tx.enqueue(kind, key, Nothing(), org=org, cause=Cause.fresh(ACTOR), due_at=due_at)
        tx.after_commit(lambda: alarms.remember(kind, key, seconds))


async def _report(tx: Transaction, job: Job) -> None:
    rows = await usage.take(tx, job.org)
    for row in rows:
        usage_id = tx.app.new_id()
        recorded = UsageRecorded(
            usage_id=usage_id,
            provider=row["provider"],
            model=row["model"],
            requests=row["requests"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
        )
        tx.emit(recorded, org=job.org, sequence=1)
    if rows:
        # Other processes may still believe the alarm set: it goes on until an interval had no usage at all.
        due_at = datetime.now(UTC) + timedelta(seconds=_settings(tx).ai_usage_every_seconds)
        tx.enqueue(REPORT_USAGE, job.key, Nothing(), org=job.org, due_at=due_at)


async def _expire(tx: Transaction, job: Job) -> None:
    for row in await drafts.fail_undecided(tx, job.org, _settings(tx).ai_decide_within_seconds):
        tell(tx, row, Origin.of(row).leads_to(ACTOR))


def _settings(tx: Transaction) -> AiSettings:
    return cast(AiSettings, tx.app.settings)


report_usage = TimerKind(kind=REPORT_USAGE, payload=Nothing, fire=_report)
expire_drafts = TimerKind(kind=EXPIRE_DRAFTS, payload=Nothing, fire=_expire)
