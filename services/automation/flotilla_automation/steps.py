"""Steps that end by themselves: times that come, and calls of webhooks."""

import base64
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, TimerKind
from flotilla.outside_http import OutsideError
from flotilla.public_addresses import REFUSED, is_called_openly
from flotilla.security.sealing import Keyring
from flotilla.security.webhooks import PREFIX, sign
from flotilla.store.postgres import Transaction

from flotilla_automation.domain.runs import Run, RunState
from flotilla_automation.own import own
from flotilla_automation.running import STEP_DUE, WEBHOOK, CallPayload, StepPayload, resume
from flotilla_automation.settings import AutomationSettings
from flotilla_automation.store import runs

LATER: Final = frozenset({408, 409, 425, 429})
"""Answers that mean: not now."""
StepKey = tuple[UUID, UUID, int]
"""(organization, run, step)."""


class BusyError(OutsideError):
    """The webhook answered that it can't at the moment."""


class Called(msgspec.Struct, frozen=True):
    """What a webhook answered; `refused` where it is of no use to ask again."""

    refused: str | None = None


def signing_keys(keyring: Keyring, org: UUID) -> tuple[bytes, ...]:
    """What an organization's webhooks are signed with: with each, so that receivers may know an older one still."""
    return keyring.derive_all(f"automation webhooks {org}")


def signing_secret(keyring: Keyring, org: UUID) -> str:
    """The one to check them with from now on, in the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(signing_keys(keyring, org)[0]).decode()


async def _fire(tx: Transaction, jobs: Sequence[Job]) -> None:
    """Delays are over, replies did not come, or answers are overdue: of all these runs at once."""
    due: dict[StepKey, StepPayload] = {
        (job.org, job.payload.run_id, job.payload.step): job.payload for job in jobs
    }
    ends: list[runs.End] = []
    over: list[Run] = []
    now = datetime.now(UTC)
    for run in await runs.lock(tx, sorted({(org, run_id) for org, run_id, _ in due})):
        step = due.get((run.organization_id, run.id, run.step))
        if step is None:  # it has gone on meanwhile
            continue
        if run.state is RunState.ASKING:
            ends.append((run, "failed", "unanswered"))
            over.append(run.over(RunState.FAILED, now, "unanswered"))
        elif run.state in (RunState.WAITING, RunState.AWAITING_REPLY):
            ends.append((run, "done", None))
            over.append(run.went_on(step.due_at))
    await runs.end_effects(tx, ends)
    await resume(tx, over)


async def _held(tx: Transaction, org: UUID, run_id: UUID, step: int) -> Run | None:
    """The run, held, where it is still at this step."""
    found = await runs.lock(tx, [(org, run_id)])
    return found[0] if found and found[0].step == step else None


async def _call(app: App, job: Job) -> Called:
    """Tell the webhook; raises what may be tried again."""
    wanted: CallPayload = job.payload
    settings = app.settings
    assert isinstance(settings, AutomationSettings)
    if not settings.trusts_private_addresses and not is_called_openly(wanted.url):
        return Called(refused=REFUSED)
    async with app.db.transaction(job.org) as tx:
        run = await runs.read(tx, job.org, wanted.run_id)
    if run is None or run.event is None:
        return Called(refused="the run is over")
    body = msgspec.json.encode(
        {
            "type": "automation.webhook",
            "run_id": run.id,
            "rule_id": run.rule_id,
            "version": run.version,
            "step": run.step,
            "event": msgspec.Raw(run.event.encode()),
        }
    )
    key, *older = signing_keys(app.keyring, job.org)
    headers = sign(key, f"msg_{run.id}_{wanted.step}", int(time.time()), body, *older)
    answer = await own(app).http.request(
        "POST",
        wanted.url,
        body=body,
        headers={"Content-Type": "application/json", **headers},
        limit=settings.webhook_seconds,
        repeatable=False,  # the job repeats it, with back-off; the id tells the receiver
    )
    if answer.status >= 500 or answer.status in LATER:
        raise BusyError(f"answered {answer.status}")
    return Called(None if answer.status < 300 else f"answered {answer.status}")


async def _called(tx: Transaction, job: Job, result: Called) -> None:
    """It was taken, or refused for good."""
    wanted: CallPayload = job.payload
    run = await _held(tx, job.org, wanted.run_id, wanted.step)
    if run is None or run.state is not RunState.CALLING:
        return
    now = datetime.now(UTC)
    if result.refused is None:
        await runs.end_effects(tx, [(run, "done", None)])
        await resume(tx, [run.went_on(now)])
    else:
        await runs.end_effects(tx, [(run, "failed", result.refused)])
        await resume(tx, [run.over(RunState.FAILED, now, f"webhook: {result.refused}")])


async def _not_called(tx: Transaction, job: Job, error: Exception) -> None:
    """Every attempt failed."""
    words = str(error) if isinstance(error, OutsideError) else "it did not answer"
    await _called(tx, job, Called(refused=words))


step_due = TimerKind(STEP_DUE, StepPayload, fire_all=_fire)
webhook = JobKind(
    WEBHOOK,
    CallPayload,
    _call,
    _called,
    _not_called,
    lease=timedelta(seconds=60),
    attempts=10,
    concurrency=16,
)
