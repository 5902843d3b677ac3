"""The mail with which somebody is invited: its token reaches the invited address, and nobody who invites.

As with other mails the token comes to be as its mail is sent, and is kept as its hash only.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.events.security import MailFailed, MailSent
from flotilla.store.postgres import Transaction

from flotilla_auth.domain.opaque import digest, new_invitation_token
from flotilla_auth.mail.letters import letter
from flotilla_auth.mail.sending import MOST_AN_HOUR
from flotilla_auth.mail.smtp import RefusedError
from flotilla_auth.resources import own
from flotilla_auth.store import invitations, organizations

KIND: Final = "invitation_mail"
LETTER: Final = "invitation"

log = structlog.get_logger()


class Inviting(msgspec.Struct, frozen=True):
    """Which invitation."""

    invitation_id: UUID
    invited_by: UUID


class Outcome(msgspec.Struct, frozen=True):
    """Why it was not sent; None: it was."""

    refusal: str | None = None
    needless: bool = False
    """Nobody may accept it any more."""


def invite(tx: Transaction, org: UUID, invitation_id: UUID, invited_by: UUID) -> None:
    """Mail the invitation to whom it is for, once this has committed."""
    tx.enqueue(KIND, str(invitation_id), Inviting(invitation_id, invited_by), org=org)


async def _perform(app: App, job: Job) -> Outcome:
    smtp, settings = own(app).smtp, own(app).settings
    invitation_id = job.payload.invitation_id
    async with app.db.transaction(job.org) as tx:
        invitation = await invitations.read(tx, job.org, invitation_id)
        if invitation is None or invitation.state_at(datetime.now(UTC)) != "pending":
            return Outcome(needless=True)
        if not smtp.is_configured:
            return Outcome("not_configured")
        if await invitations.recent(tx, job.org, invitation.email) > MOST_AN_HOUR:
            return Outcome("too_many")
        locale = (await organizations.read(tx, job.org)).locale
        token = new_invitation_token()
        if not await invitations.add_mailed_token(tx, job.org, invitation_id, digest(token)):
            return Outcome(needless=True)
    words = letter(LETTER, locale, settings.links, token)
    message_id = f"<{job.id}@{settings.smtp_from.rpartition('@')[2].rstrip('> ')}>"
    try:
        await smtp.send(words.message(settings.smtp_from, invitation.email, message_id))
    except RefusedError:
        return Outcome("refused")
    return Outcome()


async def _finish(tx: Transaction, job: Job, outcome: Outcome) -> None:
    if not outcome.needless:
        _tell(tx, job, outcome.refusal)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    log.error("mail.given_up", mail=str(job.id), kind=LETTER, error=type(error).__name__)
    _tell(tx, job, "unreachable")


def _tell(tx: Transaction, job: Job, refusal: str | None) -> None:
    """Whoever invited hears of it, as an administrator: revoke it, and invite anew."""
    inviter = job.payload.invited_by
    event = (
        MailSent(mail_id=job.id, user_id=inviter, kind=LETTER)
        if refusal is None
        else MailFailed(mail_id=job.id, user_id=inviter, kind=LETTER, reason=refusal)
    )
    if refusal is not None:
        log.warning("mail.not_sent", mail=str(job.id), kind=LETTER, reason=refusal)
    tx.emit(event, org=job.org, sequence=1)


invitation_mail: Final = JobKind(
    KIND, Inviting, _perform, _finish, _give_up, lease=timedelta(seconds=60), attempts=8, concurrency=4
)
