"""Whether somebody is there: as they say, until nothing is heard of them for a while."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.auth import AgentPresenceChanged
from flotilla.sagas.store import now as store_now
from flotilla.store.postgres import Transaction

from flotilla_auth.events import ORG
from flotilla_auth.store import presences
from flotilla_auth.store.presences import Presence

LIFETIME: Final = timedelta(minutes=5)
"""So long somebody counts as what they last said."""
OFFLINE: Final = "offline"
_KIND: Final = "presence"


class Silence(msgspec.Struct, frozen=True):
    """Whom nothing may have been heard of, since they came with that sequence."""

    user_id: UUID
    spell: int


async def say(tx: Transaction, organization_id: UUID, user_id: UUID, status: str) -> Presence:
    """Somebody says what they are; saying it again keeps it so.

    A heartbeat writes their row alone: the timer looks at it when its time has come, and waits again.
    """
    before = await presences.read(tx, organization_id, user_id, lock=True)
    now = await presences.keep(tx, organization_id, user_id, status, LIFETIME)
    if now.until is not None and (before is None or before.status == OFFLINE):
        _wait(tx, now, now.until)
    _tell(tx, now, before.status if before else OFFLINE)
    return now


async def _expire(tx: Transaction, job: Job) -> None:
    silence: Silence = job.payload
    before = await presences.read(tx, job.org, silence.user_id, lock=True)
    if before is None or before.until is None or before.spell != silence.spell:
        return
    if before.until > await store_now(tx):
        _wait(tx, before, before.until)
        return
    now = await presences.keep(tx, job.org, silence.user_id, OFFLINE, LIFETIME)
    _tell(tx, now, before.status, Cause(job.cause.correlation_id, actor="service:auth"))


def _wait(tx: Transaction, presence: Presence, until: datetime) -> None:
    org, user_id, spell = presence.organization_id, presence.user_id, presence.spell
    tx.set_timer(_KIND, f"{org}:{user_id}:{spell}", until, Silence(user_id, spell), org=org)


def _tell(tx: Transaction, now: Presence, before: str, cause: Cause | None = None) -> None:
    if now.status != before:
        event = AgentPresenceChanged(
            user_id=now.user_id, status=now.status, changed={"status": [before, now.status]}
        )
        tx.emit(event, org=now.organization_id, sequence=now.sequence, audience=ORG, cause=cause)


expiry: Final = TimerKind(_KIND, Silence, _expire)
