"""/v1/rules/dry-run: what a rule would do, with its effects held back.

Events to try are given as samples, or taken from those that automation keeps of the types it hears: the newest
thousand of each type, for three days. Older ones stand in the archive: /v1/rules/backtests tries a rule on those.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.events import CONTRACTS
from flotilla.events.base import Envelope
from flotilla.http import CurrentApp, Routes, Tx, UnprocessableError, Who

from flotilla_automation.api.rules import checked
from flotilla_automation.api.schemas import DryRunIn, DryRunOut, SampleIn, TrialOut
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.trial import Trial, attempt
from flotilla_automation.running import understand
from flotilla_automation.store import recent

routes = Routes("/v1/rules/dry-run", tag="rules")


@routes.post("", permission="rules:write", audited="nothing")
async def dry_run(wanted: DryRunIn, app: CurrentApp, tx: Tx, who: Who) -> DryRunOut:
    """Try a rule on samples and on recent events; nothing is asked for, sent or kept."""
    plan = checked(wanted.trigger, wanted.condition, wanted.actions, wanted.schedule)
    samples = [_sample(app, who.org, wanted.trigger, each, at) for at, each in enumerate(wanted.events)]
    kept = await recent.newest(tx, who.org, wanted.trigger, wanted.recent) if wanted.recent else []
    now = datetime.now(UTC)
    tried = [_shown("sample", event, attempt(plan, event, now)) for event in samples]
    tried += [_shown("recent", event, attempt(plan, event, now)) for event in _readable(kept)]
    return DryRunOut(items=tried)


def _readable(kept: list[str]) -> Iterator[Occurrence]:
    """Without those that were written under a contract that has changed since."""
    for text in kept:
        with contextlib.suppress(msgspec.ValidationError):
            yield understand(text)


def _sample(app: App, org: UUID, trigger: str, sample: SampleIn, place: int) -> Occurrence:
    contract = CONTRACTS[trigger]
    try:
        data = contract.decoder.decode(msgspec.json.encode(sample.data))
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at `$")
        pointer = f"/events/{place}/data" + path.rstrip("`").replace(".", "/")
        raise UnprocessableError(
            f"The sample is no {trigger}.", errors=[{"pointer": pointer, "detail": words}]
        ) from None
    id_ = app.new_id()
    envelope = Envelope(
        id=id_,
        source=contract.source,
        type=trigger,
        subject=str(getattr(data, contract.subject)),
        time=sample.time or datetime.now(UTC),
        organizationid=org,
        sequence="0",
        correlationid=id_,
        data=msgspec.Raw(b"{}"),
        region=app.settings.region,
        actor=sample.actor,
    )
    return Occurrence(envelope, data)


def _shown(source: str, event: Occurrence, trial: Trial) -> TrialOut:
    return TrialOut.model_validate(
        {
            "event_id": event.envelope.id,
            "source": source,
            "subject": event.envelope.subject,
            **trial.shown(),
        }
    )
