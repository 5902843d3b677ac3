"""What becomes of leads: scored, given to somebody, changed, converted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.problems import ConflictError
from flotilla.sagas.store import now
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.leads import Lead, LeadStatus
from flotilla_crm.domain.revision import revise
from flotilla_crm.domain.routing import Mode, route
from flotilla_crm.domain.scoring import score
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import leads as store
from flotilla_crm.store import routing, timeline
from flotilla_crm.store.leads import Key

LEADS_AGE: Final = "leads_age"
PAGE: Final = 200
FIRST: Final = UUID(int=0)

Why = Received[Any] | Cause


class AgePayload(msgspec.Struct, frozen=True):
    """Which lead of the organization was looked at last."""

    after: UUID


async def rescore(tx: Transaction, causes: Mapping[Key, Why]) -> None:
    """Look at these leads again, those that are open; tell of scores and reasons that are others now."""
    if not causes:
        return
    at = await now(tx)
    scores, before = [], {}
    for rated in await store.hold_with_facts(tx, list(causes)):
        points, reasons = score(rated.facts, at)
        if (points, tuple(reasons)) != (rated.lead.score, rated.lead.reasons):
            scores.append((rated.org, rated.lead.id, points, reasons))
            before[rated.org, rated.lead.id] = rated.lead.score
    for org, lead in await store.save_scores(tx, scores) if scores else []:
        fact = lead.scored(before[org, lead.id])
        cause = causes[org, lead.id]
        tx.emit(fact, org=org, sequence=lead.sequence, cause=cause, audience=AUDIENCE)


async def give_away(tx: Transaction, causes: Mapping[Key, Why]) -> None:
    """Give those of these leads that are nobody's to somebody, where their organization has a rule for it."""
    rules = await routing.rules(tx, [org for org, _ in causes])
    keys = [key for key in causes if key[0] in rules]
    if not keys:
        return
    at = await now(tx)
    takers = await routing.takers(tx, list(rules))
    given = [
        (org, each)
        for org, leads in (await routing.unrouted(tx, keys)).items()
        for each in route(
            leads,
            takers.get(org, []),
            Mode(rules[org]["mode"]),
            at,
            contact_owner_first=rules[org]["contact_owner_first"],
        )
    ]
    for org, lead, rule in await routing.give(tx, given) if given else []:
        cause = causes[org, lead.id]
        tx.emit(lead.routed(rule), org=org, sequence=lead.sequence, cause=cause, audience=AUDIENCE)


async def change(tx: Transaction, org: UUID, lead: Lead, wanted: Mapping[str, Any], cause: Cause) -> Lead:
    """Change a lead that the transaction holds; where nothing differs, nothing happens."""
    if lead.status is LeadStatus.CONVERTED and wanted.get("status", lead.status) != lead.status:
        raise ConflictError("The lead is converted: what becomes of it is the deal's business.")
    revised, changed = revise(lead, wanted)
    if not changed:
        return lead
    saved = await store.save(tx, org, revised)
    fact = saved.updated({field: [_plain(old), _plain(new)] for field, (old, new) in changed.items()})
    tx.emit(fact, org=org, sequence=saved.sequence, cause=cause, audience=AUDIENCE)
    return saved


async def convert(tx: Transaction, org: UUID, lead: Lead, deal_id: UUID | None, cause: Cause) -> Lead:
    """Say by hand that they bought; the caller holds the lead. Saying it again changes nothing."""
    if lead.status is LeadStatus.CONVERTED:
        return lead
    saved = await store.save(tx, org, replace(lead, status=LeadStatus.CONVERTED, deal_id=deal_id))
    await tell_converted(tx, [(org, saved, lead.status)], {(org, saved.contact_id): cause})
    return saved


async def tell_converted(
    tx: Transaction, converted: Sequence[tuple[UUID, Lead, LeadStatus]], causes: Mapping[Key, Why]
) -> None:
    """Tell of leads that became customers. `causes`: by (organization, contact)."""
    entries = []
    for org, lead, before in converted:
        why = causes[org, lead.contact_id]
        id_ = tx.emit(lead.converted(before), org=org, sequence=lead.sequence, cause=why, audience=AUDIENCE)
        assert lead.converted_at is not None
        entries.append(
            Entry(
                id=id_,
                org=org,
                kind=Kind.LEAD_CONVERTED,
                at=lead.converted_at,
                reference_id=lead.id,
                contact_id=lead.contact_id,
                conversation_id=lead.conversation_id,
                actor=why.envelope.actor if isinstance(why, Received) else why.actor,
            )
        )
    await timeline.append(tx, entries)


def watch_age(tx: Transaction, org: UUID, cause: Why) -> None:
    """Have an organization's open leads looked at tonight: what is said loses weight as it grows old."""
    tonight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    tx.set_timer(LEADS_AGE, str(org), tonight, AgePayload(FIRST), org=org, cause=cause)


async def _age(tx: Transaction, job: Job) -> None:
    """A page of them; the next one at once, or all again tomorrow while there are any."""
    payload: AgePayload = job.payload
    keys = await store.open_after(tx, job.org, payload.after, PAGE)
    await rescore(tx, dict.fromkeys(keys, job.cause))
    if len(keys) == PAGE:
        due, further = await now(tx), AgePayload(keys[-1][1])
        tx.set_timer(LEADS_AGE, str(job.org), due, further, org=job.org, cause=job.cause)
    elif keys or payload.after != FIRST:
        watch_age(tx, job.org, job.cause)


leads_age = TimerKind(LEADS_AGE, AgePayload, _age)


def _plain(value: object) -> object:
    return value.value if isinstance(value, LeadStatus) else value
