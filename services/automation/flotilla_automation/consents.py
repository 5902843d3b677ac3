"""Whom rules may write to unasked: what others tell of it is kept, and asked before each message that promotes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.consent import known
from flotilla.consent import store as kept
from flotilla.consent.known import Known
from flotilla.consent.rules import CHANNELS, Verdict, explained
from flotilla.events.campaign import ConsentRuleChanged, ContactUnsubscribed
from flotilla.events.crm import ConsentChanged, ContactLocated
from flotilla.events.messaging import MessageRequested
from flotilla.store.postgres import Transaction

from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.runs import Ask, Deed, Run, RunState
from flotilla_automation.domain.wishes import PROMOTION
from flotilla_automation.store import opt_outs

UNSUBSCRIBED: Final = "refused: unsubscribed"
Begun = tuple[Run, Deed | None]
"""A run in its next step, and what is to be done."""


@projection(ContactUnsubscribed, lane="directory", tables=("opt_outs",))
async def keep_opt_outs(tx: Transaction, batch: Sequence[Received[ContactUnsubscribed]]) -> None:
    """Who is promoted to no more by rules."""
    await opt_outs.keep(tx, batch)


@projection(ConsentChanged, lane="directory", tables=("marketing_consents",))
async def keep_consents(tx: Transaction, batch: Sequence[Received[ConsentChanged]]) -> None:
    """What people said about marketing."""
    await kept.keep_consents(tx, batch)


@projection(ContactLocated, lane="directory", tables=("contact_regions",))
async def keep_regions(tx: Transaction, batch: Sequence[Received[ContactLocated]]) -> None:
    """Under whose law people live, by their telephone numbers."""
    await kept.keep_regions(tx, batch)


@projection(ConsentRuleChanged, lane="directory", tables=("consent_rules",))
async def keep_rules(tx: Transaction, batch: Sequence[Received[ConsentRuleChanged]]) -> None:
    """By whose law organizations write to people."""
    await kept.keep_rules(tx, batch)


async def only_allowed(
    tx: Transaction, begun: Sequence[Begun], events: Sequence[Occurrence], now: datetime
) -> list[Begun]:
    """Runs whose message promotes to somebody who may not be written to end here, and say why; the others ask by the
    channels that are allowed. `events`: what each run is for.

    messaging refuses what slipped through: another channel, and whose conversation it is where the event does not say.
    """
    asked = [_promotion(deed) for _, deed in begun]
    people = [
        (run.organization_id, wish.contact_id)
        for (run, _), wish in zip(begun, asked, strict=True)
        if wish is not None and wish.contact_id is not None
    ]
    orgs = [run.organization_id for (run, _), wish in zip(begun, asked, strict=True) if wish is not None]
    if not orgs:
        return list(begun)
    gone = await opt_outs.of(tx, people) if people else set()
    about = await known.read(tx, orgs, people)
    for (run, _), event in zip(begun, events, strict=True):
        _hear(about, run.organization_id, event)
    found: list[Begun] = []
    for (run, deed), wish in zip(begun, asked, strict=True):
        if wish is None or not isinstance(deed, Ask):
            found.append((run, deed))
        elif (run.organization_id, wish.contact_id) in gone:
            found.append((run.over(RunState.FAILED, now, UNSUBSCRIBED), None))
        else:
            verdict = about.verdict(run.organization_id, wish.contact_id, now)
            found.append(_judged(run, deed, wish, verdict, now))
    return found


def _promotion(deed: Deed | None) -> MessageRequested | None:
    wish = deed.wish if isinstance(deed, Ask) else None
    return wish if isinstance(wish, MessageRequested) and wish.purpose == PROMOTION else None


def _hear(about: Known, org: UUID, event: Occurrence) -> None:
    """A rule that waits for somebody's consent may run before it was kept here."""
    if isinstance(event.data, ConsentChanged):
        about.hear(org, event.data, int(event.envelope.sequence))


def _judged(run: Run, deed: Ask, wish: MessageRequested, verdict: Verdict, now: datetime) -> Begun:
    if verdict.refused is not None:
        why = f"refused: {verdict.refused}: {explained(verdict.region, verdict.refused)}"
        return run.over(RunState.FAILED, now, why), None
    if verdict.channels == CHANNELS:
        return run, deed
    by_these = msgspec.structs.replace(wish, channels=sorted(verdict.channels))
    return run, replace(deed, wish=by_these)
