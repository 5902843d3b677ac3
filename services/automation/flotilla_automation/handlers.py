"""Events in: whatever type some rule wants.

Each is handled by what it is: an answer to a wish, a message in a conversation, a trigger. All of it may be repeated:
answers and messages find their step over, and an event triggers a rule once.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from flotilla.bus.declare import RawEvent, projection, tap
from flotilla.bus.envelope import Received
from flotilla.events.base import Event
from flotilla.events.billing import EntitlementChanged
from flotilla.events.messaging import MessageReceived, MessageRefused, MessageSent
from flotilla.store.postgres import Transaction

from flotilla_automation.domain.actions import KINDS
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.runs import Run, RunState
from flotilla_automation.domain.wishes import ANSWERS
from flotilla_automation.own import LANE
from flotilla_automation.running import STEP_DUE, replied, resume, step_key, understand
from flotilla_automation.starting import Heard, start
from flotilla_automation.store import plan_limits, recent, runs, wanted
from flotilla_automation.store.runs import RunKey, Written

PLAUSIBLE: Final = ("request_id", "task_id", "message_id", "notification_id", "enrolment_id")
"""Fields that name the wish in an answer which carries no `requestid`."""
NO_CONSENT: Final = "no_consent"
ANOTHER_CHANNEL: Final = (
    "What they agreed to, or the law lets you, is another channel than this conversation's."
)


@projection(EntitlementChanged, lane="directory", tables=("plan_limits",))
async def keep_limits(tx: Transaction, batch: Sequence[Received[EntitlementChanged]]) -> None:
    """What organizations' plans allow."""
    await plan_limits.keep(tx, batch)


@tap(LANE, dynamic=True)
async def run_rules(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Go on with what waited for these events, and begin what they trigger."""
    orgs = await wanted.with_rules(tx, {raw.envelope.organizationid for raw in batch})
    heard = [(raw, understand(raw.body)) for raw in batch if raw.envelope.organizationid in orgs]
    if not heard:
        return
    await recent.keep(tx, [_kept(raw) for raw, _ in heard])
    written = list(_written(heard))
    if written:
        await runs.move_positions(tx, written)
    await take_answers(tx, [event for _, event in heard])
    await take_replies(tx, written)
    await start(tx, heard)


async def take_answers(tx: Transaction, events: Sequence[Occurrence]) -> None:
    """Steps whose wishes were answered are over, well or ill."""
    by_request: dict[tuple[UUID, UUID], list[Event]] = {}
    for event in events:
        for request in _requests(event):
            by_request.setdefault((event.envelope.organizationid, request), []).append(event.data)
    if not by_request:
        return
    answered: dict[RunKey, tuple[UUID, Event]] = {}
    for row in await runs.asked(tx, sorted(by_request, key=str)):
        answers = ANSWERS.get(KINDS[row["kind"]])
        # What else goes back to the same wish (a deal's win to its move) is no answer to it.
        for data in by_request[row["organization_id"], row["request_id"]]:
            if answers is not None and isinstance(data, (answers.well, *answers.ill)):
                answered[row["organization_id"], row["run_id"]] = (row["request_id"], data)
    if answered:
        held = await runs.lock(tx, sorted(answered))
        waited = [
            (run, answer)
            for run in held
            for request_id, answer in (answered[run.organization_id, run.id],)
            if run.state is RunState.ASKING and run.request_id() == request_id
        ]
        for run, _ in waited:
            tx.cancel_timer(STEP_DUE, step_key(run))
        await runs.end_effects(tx, [(run, *_outcome(answer)) for run, answer in waited])
        now = datetime.now(UTC)
        await resume(tx, [_stands(run, _outcome(answer)[1], now) for run, answer in waited])


def _outcome(answer: Event) -> tuple[str, str | None]:
    """What an answer makes of its step, and why where it is a refusal."""
    if any(isinstance(answer, answers.well) for answers in ANSWERS.values()):
        return "done", None
    reason = str(getattr(answer, "reason", None) or "no reason given")
    if isinstance(answer, MessageRefused) and reason == NO_CONSENT:
        reason = f"{NO_CONSENT}: {ANOTHER_CHANNEL}"
    return "failed", reason


def _stands(run: Run, refused: str | None, now: datetime) -> Run:
    return run.went_on(now) if refused is None else run.over(RunState.FAILED, now, f"refused: {refused}")


async def take_replies(tx: Transaction, written: Sequence[Written]) -> None:
    """Runs that waited to miss one of these messages end."""
    keys = await runs.awaiting(tx, written) if written else []
    if not keys:
        return
    held = await runs.lock(tx, sorted(keys))
    ended = [run for run in held if run.state is RunState.AWAITING_REPLY and _is_reply(run, written)]
    for run in ended:
        tx.cancel_timer(STEP_DUE, step_key(run))
    await runs.end_effects(tx, [(run, "ended", None) for run in ended])
    now = datetime.now(UTC)
    await resume(tx, [replied(run, now) for run in ended])


def _is_reply(run: Run, written: Sequence[Written]) -> bool:
    """Looked at again under the lock: it may have gone on to wait for another since it was found."""
    return any(
        (each.organization_id, each.conversation_id, each.side)
        == (run.organization_id, run.conversation_id, run.awaits)
        and each.position > (run.after_position or 0)
        for each in written
    )


def _requests(event: Occurrence) -> Iterator[UUID]:
    """The wishes that an event may answer."""
    if event.envelope.requestid is not None:
        yield event.envelope.requestid
    for name in PLAUSIBLE:
        found = getattr(event.data, name, None)
        if isinstance(found, UUID):
            yield found


def _written(heard: Sequence[Heard]) -> Iterator[Written]:
    for _, event in heard:
        data = event.data
        if isinstance(data, MessageReceived | MessageSent):
            side = "customer" if isinstance(data, MessageReceived) else "team"
            yield Written(event.envelope.organizationid, data.conversation_id, side, data.position)


def _kept(raw: RawEvent) -> tuple[UUID, UUID, str, str]:
    return raw.envelope.organizationid, raw.envelope.id, raw.envelope.type, raw.body.decode()
