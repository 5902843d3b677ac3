"""A step of an enrolment, asked for: entered in the ledger, told, and wished for, all in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from flotilla.cause import Cause
from flotilla.consent.rules import CHANNELS
from flotilla.events.campaign import SequenceStepDue
from flotilla.events.messaging import MessageRequested, Tracking
from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.enrolments import Enrolment, Taken
from flotilla_campaign.domain.tracking import Kind, Links, Token, with_links
from flotilla_campaign.own import bound
from flotilla_campaign.store import enrolments, sends
from flotilla_campaign.store.sends import Send

AUDIENCE = "org"
PROMOTION = "promotion"


async def take(
    tx: Transaction,
    enrolment: Enrolment,
    taken: Sequence[Taken],
    now: datetime,
    cause: Cause,
    channels: frozenset[str] = CHANNELS,
) -> None:
    """Enter steps in the ledger; a message is asked for where its step was not there yet, by these channels."""
    for step in taken:
        if await enrolments.enter(tx, enrolment, step) and step.request_id is not None:
            why = replace(cause, request_id=step.request_id)
            await _ask(tx, enrolment, step, now, why, channels)


async def _ask(
    tx: Transaction,
    enrolment: Enrolment,
    step: Taken,
    now: datetime,
    cause: Cause,
    channels: frozenset[str],
) -> None:
    org, request_id = enrolment.organization_id, step.request_id
    assert request_id is not None
    links = bound(tx.app).links
    send = Send(
        organization_id=org,
        id=request_id,
        sequence=1,
        enrolment_id=enrolment.id,
        sequence_id=enrolment.sequence_id,
        version=enrolment.version,
        step=step.step,
        variant=step.variant,
        campaign_id=enrolment.campaign_id,
        contact_id=enrolment.contact_id,
        links=(),
        asked_at=now,
        sent_at=None,
    )
    text, tracked = _led(links, send, step)
    await sends.add(tx, replace(send, links=tracked))
    due = SequenceStepDue(**enrolment.what(), step=step.step, variant=step.variant, message_id=request_id)
    # What the enrolment is saved as after this has the next sequence.
    tx.emit(due, org=org, sequence=enrolment.sequence, cause=cause, audience=AUDIENCE)
    wish = MessageRequested(
        request_id=request_id,
        conversation_id=enrolment.conversation_id,
        contact_id=enrolment.contact_id,
        text=text,
        purpose=PROMOTION,
        tracking=Tracking(
            open_url=links.address(Token(Kind.OPEN, org, request_id)) if step.track else None,
            unsubscribe_url=links.unsubscribe(org, request_id),
        ),
        channels=None if channels == CHANNELS else sorted(channels),
    )
    tx.emit(wish, org=org, sequence=1, cause=cause, audience=AUDIENCE)


def _led(links: Links, send: Send, step: Taken) -> tuple[str, list[str]]:
    """The text as it goes out, and where its tracked links lead."""
    text = step.text or ""
    if not step.track:
        return text, []
    own = f"{links.base}/v1/track/"
    return with_links(
        text, lambda place: links.address(Token(Kind.CLICK, send.organization_id, send.id, place)), own
    )
