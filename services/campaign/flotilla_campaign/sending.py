"""Steps of enrolments, asked for: entered in the ledger, told, and wished for, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

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


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an enrolment as it stood before it."""

    enrolment: Enrolment
    taken: Taken
    now: datetime
    cause: Cause
    channels: frozenset[str]
    """By which the person may be written to."""

    @property
    def place(self) -> tuple[UUID, UUID, int]:
        """As the ledger has it."""
        return self.enrolment.organization_id, self.enrolment.id, self.taken.step


async def take(tx: Transaction, steps: Sequence[Step]) -> None:
    """Enter steps in the ledger; a message is asked for where its step was not there yet."""
    if not steps:
        return
    entered = await enrolments.enter(tx, [(step.enrolment, step.taken) for step in steps])
    asked = [
        (step, request_id)
        for step in steps
        if (request_id := step.taken.request_id) is not None and step.place in entered
    ]
    if asked:
        await sends.add(tx, [_ask(tx, step, request_id) for step, request_id in asked])


def _ask(tx: Transaction, step: Step, request_id: UUID) -> Send:
    """Tell and wish for its message: what is to be known of it."""
    enrolment, taken = step.enrolment, step.taken
    org, links = enrolment.organization_id, bound(tx.app).links
    cause = replace(step.cause, request_id=request_id)
    send = Send(
        organization_id=org,
        id=request_id,
        sequence=1,
        enrolment_id=enrolment.id,
        sequence_id=enrolment.sequence_id,
        version=enrolment.version,
        step=taken.step,
        variant=taken.variant,
        campaign_id=enrolment.campaign_id,
        contact_id=enrolment.contact_id,
        links=(),
        asked_at=step.now,
        sent_at=None,
    )
    text, tracked = _led(links, send, taken)
    due = SequenceStepDue(**enrolment.what(), step=taken.step, variant=taken.variant, message_id=request_id)
    # What the enrolment is saved as after this has the next sequence.
    tx.emit(due, org=org, sequence=enrolment.sequence, cause=cause, audience=AUDIENCE)
    wish = MessageRequested(
        request_id=request_id,
        conversation_id=enrolment.conversation_id,
        contact_id=enrolment.contact_id,
        text=text,
        purpose=PROMOTION,
        tracking=Tracking(
            open_url=links.address(Token(Kind.OPEN, org, request_id)) if taken.track else None,
            unsubscribe_url=links.unsubscribe(org, request_id),
        ),
        channels=None if step.channels == CHANNELS else sorted(step.channels),
    )
    tx.emit(wish, org=org, sequence=1, cause=cause, audience=AUDIENCE)
    return replace(send, links=tracked)


def _led(links: Links, send: Send, step: Taken) -> tuple[str, list[str]]:
    """The text as it goes out, and where its tracked links lead."""
    text = step.text or ""
    if not step.track:
        return text, []
    own = f"{links.base}/v1/track/"
    return with_links(
        text, lambda place: links.address(Token(Kind.CLICK, send.organization_id, send.id, place)), own
    )
