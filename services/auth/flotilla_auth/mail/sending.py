"""The job that sends a mail: it finds out to whom, makes the token, and says in an event how it ended.

Neither addresses nor tokens stand in jobs. A token comes to be as its mail is sent, and is kept as its hash only;
an attempt that fails leaves one behind that nobody has.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.cause import Cause
from flotilla.events.security import MailFailed, MailSent
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.security.keyed_hashes import Hashes
from flotilla.store.postgres import Transaction

from flotilla_auth.domain.entities import User
from flotilla_auth.domain.opaque import RESET_LIFETIME, VERIFICATION_LIFETIME, digest, new_mail_token
from flotilla_auth.mail.letters import letter
from flotilla_auth.mail.smtp import RefusedError
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, email_tokens, users

KIND: Final = "mail"
VERIFY: Final = "verify_email"
RESET: Final = "reset_password"
LIFETIMES: Final = {VERIFY: VERIFICATION_LIFETIME, RESET: RESET_LIFETIME}
"""Kinds that carry a token."""
MOST_AN_HOUR: Final = 5
"""Mails of one kind with a token to one person: whoever asks again and again fills nobody's mailbox."""

log = structlog.get_logger()


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be sent, to the person with this id, or with the address that has this hash, if there is one."""

    kind: str
    user_id: UUID | None = None
    email_hash: str = ""
    """Lower-case hex; with a space between them, under each derivation key."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """To whom, and why not; nobody: none has the address, or they had enough mails."""

    user: tuple[UUID, UUID] | None
    """(organization, person)."""
    refusal: str | None = None


def to_person(tx: Transaction, kind: str, org: UUID, user_id: UUID, cause: Cause | None = None) -> None:
    """Send somebody a mail, once this has committed."""
    tx.enqueue(KIND, f"{kind}:{new_id()}", Mail(kind=kind, user_id=user_id), org=org, cause=cause)


def to_address(tx: Transaction, kind: str, email: Hashes) -> None:
    """The same to whoever has an address: whether anybody has is not looked at here, so no answer can tell.

    While one waits to be sent, it is the one.
    """
    tx.enqueue(
        KIND,
        f"{kind}:{email[0].hex()}",
        Mail(kind=kind, email_hash=" ".join(each.hex() for each in email)),
        org=PLATFORM_ORG,
    )


async def _perform(app: App, job: Job) -> Outcome:
    mail: Mail = job.payload
    user = await _recipient(app, mail)
    if user is None:
        return Outcome(user=None)
    whom = (user.organization_id, user.id)
    smtp, settings = own(app).smtp, own(app).settings
    if not smtp.is_configured:
        return Outcome(user=whom, refusal="not_configured")
    token = None
    if (lifetime := LIFETIMES.get(mail.kind)) is not None:
        token = new_mail_token()
        if await email_tokens.recent(app.db, user.id, mail.kind, job.id) >= MOST_AN_HOUR:
            return Outcome(user=whom, refusal="too_many")
        await email_tokens.insert(app.db, digest(token), mail.kind, user.id, job.id, lifetime)
    message_id = f"<{job.id}@{settings.smtp_from.rpartition('@')[2].rstrip('> ')}>"
    words = letter(mail.kind, user.locale, settings.links, token)
    try:
        await smtp.send(words.message(settings.smtp_from, user.email, message_id))
    except RefusedError:
        return Outcome(user=whom, refusal="refused")
    return Outcome(user=whom)


async def _recipient(app: App, mail: Mail) -> User | None:
    """As they are now, in the first of their organizations that they have access to."""
    user_id = mail.user_id
    if user_id is None:
        hashes = tuple(bytes.fromhex(each) for each in mail.email_hash.split())
        found = await credentials.find(app.db, hashes)
        user_id = found["user_id"] if found else None
    if user_id is None:
        return None
    organizations = await credentials.memberships(app.db, user_id)
    async with app.db.transaction(organizations) as tx:
        return await users.first_active(tx, organizations, user_id)


async def _finish(tx: Transaction, job: Job, outcome: Outcome) -> None:
    if outcome.user is not None:
        _tell(tx, job, outcome.user, outcome.refusal)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    mail: Mail = job.payload
    log.error("mail.given_up", mail=str(job.id), kind=mail.kind, error=type(error).__name__)
    if mail.user_id is not None:
        _tell(tx, job, (job.org, mail.user_id), "unreachable")


def _tell(tx: Transaction, job: Job, user: tuple[UUID, UUID], refusal: str | None) -> None:
    org, user_id = user
    kind = job.payload.kind
    event = (
        MailSent(mail_id=job.id, user_id=user_id, kind=kind)
        if refusal is None
        else MailFailed(mail_id=job.id, user_id=user_id, kind=kind, reason=refusal)
    )
    if refusal is not None:
        log.warning("mail.not_sent", mail=str(job.id), kind=kind, reason=refusal)
    tx.emit(event, org=org, sequence=1)


mail_job: Final = JobKind(
    KIND, Mail, _perform, _finish, _give_up, lease=timedelta(seconds=60), attempts=8, concurrency=4
)
