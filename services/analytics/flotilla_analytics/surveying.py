"""Surveys on their way: asked for when a conversation is resolved or somebody wants it, sent by messaging, answered."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.messaging import MessageRequested
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.domain.surveys import LINK, Send, bucket_of
from flotilla_analytics.goals import numbers_moved
from flotilla_analytics.links import Kind, Token
from flotilla_analytics.resources import Resources
from flotilla_analytics.store import surveys as store

DUE: Final = "survey_due"
AUDIENCE: Final = "org"
FORM: Final = "/form"
ANSWERS: Final = "/v1/surveys/answer"


class DuePayload(msgspec.Struct, frozen=True):
    """Which send."""

    send_id: UUID


async def wait(tx: Transaction, row: Row, cause: Cause) -> None:
    """Ask when the survey's delay is over."""
    due_at = await store.now(tx) + timedelta(minutes=row["delay_minutes"])
    tx.set_timer(DUE, str(row["id"]), due_at, DuePayload(row["id"]), org=row["organization_id"], cause=cause)


async def send_now(
    tx: Transaction, org: UUID, survey_id: UUID, conversation_id: UUID, cause: Cause
) -> UUID | None:
    """Ask at once, whatever the pause says; None where they are being asked already."""
    send_id = tx.app.new_id()
    if not await store.ask_now(tx, org, send_id, survey_id, conversation_id):
        return None
    row = await store.read_send(tx, org, send_id)
    assert row is not None
    _request(tx, row, cause)
    return send_id


async def answer(tx: Transaction, send: Send, score: int | None, comment: str | None) -> Send:
    """Keep an answer of a send that the transaction holds, and tell of it. Where nothing differs, nothing happens."""
    org = send.organization_id
    cause = Cause.fresh(f"contact:{send.contact_id}" if send.contact_id else None)
    if send.sent_at is None:  # who answers was asked: their channel's word of it is on its way
        at = await store.now(tx)
        (send,) = await store.mark_sent(tx, [(org, send.id, at)])
        tx.emit(send.sent(), org=org, sequence=send.sequence, cause=cause, audience=AUDIENCE)
    if send.answered_at is not None and (send.score, send.comment) == (score, comment):
        return send
    given = await store.answer(tx, org, send.id, score, comment)
    changes = [(given, bucket_of(score), 1)]
    changed: dict[str, list[Any]] = {}
    if send.answered_at is not None:
        changes.append((given, bucket_of(send.score), -1))
        before, after = (send.score, send.comment), (score, comment)
        pairs = zip(("score", "comment"), before, after, strict=True)
        changed = {name: [old, new] for name, old, new in pairs if old != new}
    await store.count_up(tx, changes)
    tx.emit(given.answered(changed), org=org, sequence=given.sequence, cause=cause, audience=AUDIENCE)
    await numbers_moved(tx, [org])
    return given


def address(own: Resources, org: UUID, send_id: UUID) -> str:
    """Where a person answers."""
    return own.links.address(ANSWERS, Token(Kind.SURVEY, org, send_id)) + FORM


async def _due(tx: Transaction, job: Job) -> None:
    """Ask, unless the conversation has gone on."""
    row = await store.read_send(tx, job.org, job.payload.send_id, lock=True)
    if row is None or row["state"] != "waiting":
        return
    conversation = await store.conversation(tx, job.org, row["conversation_id"])
    if conversation is None or conversation["state"] != "resolved":
        await store.set_state(tx, job.org, row["id"], "cancelled", "reopened")
        return
    await store.set_state(tx, job.org, row["id"], "requested")
    _request(tx, row, job.cause)


def _request(tx: Transaction, row: Row, cause: Cause) -> None:
    org, send_id = row["organization_id"], row["id"]
    own: Resources = tx.app.own
    wish = MessageRequested(
        request_id=send_id,
        conversation_id=row["conversation_id"],
        contact_id=row["contact_id"],
        text=row["message"].replace(LINK, address(own, org, send_id)),
    )
    tx.emit(wish, org=org, sequence=1, cause=replace(cause, request_id=send_id), audience=AUDIENCE)


survey_due = TimerKind(DUE, DuePayload, _due)
