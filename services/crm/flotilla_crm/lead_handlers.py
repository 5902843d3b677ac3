"""What crm does with leads when others' events come, and its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flotilla.bus.declare import NotYetKnown, reaction
from flotilla.bus.envelope import Received
from flotilla.events.ai import LeadQualified
from flotilla.events.crm import CompanyUpdated, ContactUpdated, LeadCreated
from flotilla.events.messaging import MessageSent
from flotilla.events.pipeline import DealClosed
from flotilla.store.postgres import Row, Transaction

from flotilla_crm import leads
from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import leads as store
from flotilla_crm.store import people, timeline
from flotilla_crm.store.leads import Key


@reaction(LeadQualified, lane="timeline")
async def name_leads(tx: Transaction, batch: Sequence[Received[LeadQualified]]) -> None:
    """Say who each qualified lead is, score it, and give it to somebody.

    ai may know no more than the channel identity. Held until it is known whose that is.
    """
    identities = [(event.org, event.data.identity_id) for event in batch]
    known = await people.who_they_are(tx, identities)
    strangers = [each for each in identities if each not in known]
    if strangers and (unknown := await people.unknown_identities(tx, strangers)):
        raise NotYetKnown("identity", unknown[0])
    # What is left are identities whose contact was deleted: nobody to sell to.
    met = [(event, known[key]) for event, key in zip(batch, identities, strict=True) if key in known]
    if not met:
        return
    entries: list[Entry] = []
    for event, who in met:
        lead = _lead(event.data, who)
        id_ = tx.emit(lead, org=event.org, sequence=1, cause=event, audience=AUDIENCE)
        entries.append(_entry(event, id_, lead))
    await timeline.append(tx, entries)
    await store.add(tx, [_new(event, who) for event, who in met])
    causes: dict[Key, leads.Why] = {(event.org, event.data.qualification_id): event for event, _ in met}
    await leads.rescore(tx, causes)
    await leads.give_away(tx, causes)
    for org, event in {event.org: event for event, _ in met}.items():
        leads.watch_age(tx, org, event)


@reaction(ContactUpdated, lane="timeline")
async def rescore_contacts(tx: Transaction, batch: Sequence[Received[ContactUpdated]]) -> None:
    """What is known of a contact counts."""
    await _rescore(tx, store.OPEN_OF_CONTACTS, [(event, event.data.contact_id) for event in batch])


@reaction(CompanyUpdated, lane="timeline")
async def rescore_companies(tx: Transaction, batch: Sequence[Received[CompanyUpdated]]) -> None:
    """So does the size of their company."""
    await _rescore(tx, store.OPEN_OF_COMPANIES, [(event, event.data.company_id) for event in batch])


@reaction(MessageSent, lane="timeline")
async def rescore_conversations(tx: Transaction, batch: Sequence[Received[MessageSent]]) -> None:
    """So does how long ago something was said: an answer says that the conversation goes on."""
    await _rescore(tx, store.OPEN_OF_IDENTITIES, [(event, event.data.identity_id) for event in batch])


@reaction(DealClosed, lane="timeline")
async def convert_leads(tx: Transaction, batch: Sequence[Received[DealClosed]]) -> None:
    """Whoever bought is a lead no more. `deal.won` may still be undone, so this waits for the end."""
    latest: dict[Key, Received[DealClosed]] = {}
    for event in sorted(batch, key=lambda event: event.data.ended_at or event.envelope.time):
        if event.data.contact_id is not None:
            latest[event.org, event.data.contact_id] = event
    if latest:
        deals = [
            (org, contact, event.data.deal_id, event.data.ended_at or event.envelope.time)
            for (org, contact), event in sorted(latest.items(), key=lambda item: item[0])
        ]
        await leads.tell_converted(tx, await store.convert(tx, deals), latest)


async def _rescore(tx: Transaction, sql: str, about: Sequence[tuple[Received[Any], UUID]]) -> None:
    """The open leads that a statement finds by these ids; each goes back to the last event of its organization."""
    by_org: Mapping[UUID, Received[Any]] = {event.org: event for event, _ in about}
    found: Iterable[Key] = await store.open_leads(tx, sql, [(event.org, id_) for event, id_ in about])
    await leads.rescore(tx, {key: by_org[key[0]] for key in found})


def _lead(qualified: LeadQualified, who: Row) -> LeadCreated:
    return LeadCreated(
        lead_id=qualified.qualification_id,
        contact_id=who["contact_id"],
        identity_id=qualified.identity_id,
        conversation_id=qualified.conversation_id,
        name=who["name"],
        company_id=who["company_id"],
        score=qualified.score,
        confidence=qualified.confidence,
        budget=qualified.budget,
        qualified_at=qualified.qualified_at,
    )


def _new(event: Received[LeadQualified], who: Row) -> store.New:
    signals = [
        {"question": signal.question, "score": signal.score, "confidence": signal.confidence}
        for signal in event.data.signals
    ]
    return store.New(
        org=event.org,
        id=event.data.qualification_id,
        contact_id=who["contact_id"],
        conversation_id=event.data.conversation_id,
        signals=signals,
        qualified_at=event.data.qualified_at,
    )


def _entry(event: Received[LeadQualified], id_: UUID, lead: LeadCreated) -> Entry:
    return Entry(
        id=id_,
        org=event.org,
        kind=Kind.LEAD_CREATED,
        at=lead.qualified_at,
        reference_id=lead.lead_id,
        contact_id=lead.contact_id,
        conversation_id=lead.conversation_id,
        actor=event.envelope.actor,
    )
