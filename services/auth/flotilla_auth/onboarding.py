"""onboard organization: what others prepare for one that begins, or nothing of it; people work in it meanwhile.

Billing gives it a trial, pipeline a first pipeline, messaging a first inbox; then its owner is welcomed. Where
one of them cannot, what the others made is taken back, and its `onboarding` says `failed` until somebody has
it tried again: a new saga, which finds nothing of the old one.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.cause import Cause
from flotilla.events.auth import OrganizationUpdated
from flotilla.events.billing import (
    SubscriptionCancelFailed,
    SubscriptionCancelled,
    SubscriptionCancelRequested,
    SubscriptionCreated,
    SubscriptionFailed,
    SubscriptionRequested,
)
from flotilla.events.messaging import (
    InboxCreated,
    InboxDeleted,
    InboxDeleteFailed,
    InboxDeleteRequested,
    InboxFailed,
    InboxRequested,
)
from flotilla.events.pipeline import (
    PipelineCreated,
    PipelineDeleted,
    PipelineDeleteFailed,
    PipelineDeleteRequested,
    PipelineFailed,
    PipelineRequested,
)
from flotilla.events.websocket import NotificationRequested
from flotilla.sagas import End, SagaKind, Step, Undo
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.domain.entities import Organization
from flotilla_auth.store import organizations

LANE: Final = "sagas"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
WITHIN: Final = timedelta(hours=1)
"""A service that is away for a while finds the wish in its queue, and people work meanwhile: there is no hurry."""


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """What the saga knows of the organization."""

    organization_id: UUID
    name: str
    time_zone: str
    owner_id: UUID


async def begin(tx: Transaction, organization: Organization, owner_id: UUID, cause: Cause) -> UUID:
    """Have it all prepared, in the transaction that makes the organization `running`: the saga's id."""
    known = Beginning(
        organization_id=organization.id,
        name=organization.name,
        time_zone=organization.time_zone,
        owner_id=owner_id,
    )
    return await onboarding.start(tx, organization.id, organization.id, known, cause)


def _subscription(_: Beginning, request_id: UUID) -> SubscriptionRequested:
    return SubscriptionRequested(request_id=request_id)


def _cancel(_: Beginning, request_id: UUID, cancels: UUID, reason: str) -> SubscriptionCancelRequested:
    return SubscriptionCancelRequested(request_id=request_id, cancels=cancels, reason=reason)


def _pipeline(_: Beginning, request_id: UUID) -> PipelineRequested:
    return PipelineRequested(request_id=request_id)


def _delete_pipeline(_: Beginning, request_id: UUID, cancels: UUID, reason: str) -> PipelineDeleteRequested:
    return PipelineDeleteRequested(request_id=request_id, cancels=cancels, reason=reason)


def _inbox(known: Beginning, request_id: UUID) -> InboxRequested:
    return InboxRequested(request_id=request_id, name=known.name, time_zone=known.time_zone)


def _delete_inbox(_: Beginning, request_id: UUID, cancels: UUID, reason: str) -> InboxDeleteRequested:
    return InboxDeleteRequested(request_id=request_id, cancels=cancels, reason=reason)


async def _done(tx: Transaction, end: End[Beginning]) -> None:
    organization = await _settle(tx, end, DONE)
    notification_id = tx.app.new_id()
    welcome = NotificationRequested(
        notification_id=notification_id,
        user_id=end.context.owner_id,
        kind="organization.ready",
        title="Welcome to Flotilla",
        text=f"{organization.name} is ready. Connect a channel, and what customers write comes in here.",
        link="/settings/channels",
        params={"organization": organization.name},
    )
    asking = replace(end.cause, request_id=notification_id)
    # Whether it reaches them is not the saga's business: nothing is undone for a welcome that was not seen.
    tx.emit(welcome, org=end.org, sequence=1, cause=asking, audience=f"user:{end.context.owner_id}")


async def _undone(tx: Transaction, end: End[Beginning]) -> None:
    await _settle(tx, end, FAILED)


async def _settle(tx: Transaction, end: End[Beginning], state: str) -> Organization:
    before = await organizations.lock(tx, end.org)
    now = await organizations.update(tx, replace(before, onboarding=state))
    cause = replace(end.cause, actor="service:auth")
    events.organization(tx, OrganizationUpdated, now, before, cause)
    return now


onboarding: Final = SagaKind(
    "onboarding",
    context=Beginning,
    steps=(
        Step(
            "subscription",
            wish=_subscription,
            granted=SubscriptionCreated,
            refused=SubscriptionFailed,
            undo=Undo(wish=_cancel, granted=SubscriptionCancelled, refused=SubscriptionCancelFailed),
            within=WITHIN,
        ),
        Step(
            "pipeline",
            wish=_pipeline,
            granted=PipelineCreated,
            refused=PipelineFailed,
            undo=Undo(wish=_delete_pipeline, granted=PipelineDeleted, refused=PipelineDeleteFailed),
            within=WITHIN,
        ),
        Step(
            "inbox",
            wish=_inbox,
            granted=InboxCreated,
            refused=InboxFailed,
            undo=Undo(wish=_delete_inbox, granted=InboxDeleted, refused=InboxDeleteFailed),
            within=WITHIN,
        ),
    ),
    done=_done,
    undone=_undone,
    lane=LANE,
)
