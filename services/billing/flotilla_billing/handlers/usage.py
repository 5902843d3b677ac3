"""What organizations use, as other services tell of it: AI, people, connected channels, children."""

from collections.abc import Sequence
from typing import Final, TypeVar

from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.ai import UsageRecorded
from flotilla.events.auth import User, UserCreated, UserDeactivated, UserUpdated
from flotilla.events.base import Event
from flotilla.events.integrations import (
    Account,
    IntegrationConnected,
    IntegrationDisconnected,
    IntegrationFailed,
)
from flotilla.events.sharing import (
    OrganizationGrant,
    OrganizationGrantAccepted,
    OrganizationGrantCreated,
    OrganizationGrantRevoked,
)
from flotilla.features import CHILD_ORGANIZATIONS
from flotilla.store.postgres import Transaction

from flotilla_billing import metering
from flotilla_billing.store import dunning
from flotilla_billing.store.usage import Holding, Use

T = TypeVar("T", bound=Event)

SEATED: Final = frozenset({"owner", "admin", "team_owner", "team_member"})
"""Roles that take a seat: clients and viewers are free."""


@reaction(UsageRecorded, lane="usage")
async def count_ai(tx: Transaction, batch: Sequence[Received[UsageRecorded]]) -> None:
    """Count requests and tokens, in the period in which they ended."""
    uses = []
    for event in batch:
        used = event.data
        tokens = used.input_tokens + used.output_tokens
        for feature, amount in (("ai_requests", used.requests), ("ai_tokens", tokens)):
            if amount > 0:
                uses.append(Use(event.org, used.usage_id, feature, amount, used.ended_at))
    if uses:
        await metering.count(tx, uses, {event.org: event for event in batch})


@reaction(UserCreated, UserUpdated, UserDeactivated, lane="usage")
async def count_seats(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Count the people who work in an organization: the newest word of each."""
    seats = [
        Holding(
            event.org,
            "seats",
            event.data.user_id,
            event.data.state == "active" and event.data.role in SEATED,
            event.sequence,
        )
        for event in _newest(batch)
    ]
    await metering.hold(tx, seats, {event.org: event for event in batch})


@projection(UserCreated, UserUpdated, UserDeactivated, lane="usage", tables=("owners",))
async def keep_owners(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Know who is told when money is owed."""
    people = [
        (
            event.org,
            event.data.user_id,
            event.sequence,
            event.data.role == "owner" and event.data.state == "active",
        )
        for event in batch
    ]
    await dunning.keep_owners(tx, people)


@reaction(IntegrationConnected, IntegrationDisconnected, IntegrationFailed, lane="usage")
async def count_channels(tx: Transaction, batch: Sequence[Received[Account]]) -> None:
    """Count connected channels; one that failed is still there."""
    channels = [
        Holding(
            event.org,
            "channels",
            event.data.account_id,
            not isinstance(event.data, IntegrationDisconnected),
            event.sequence,
        )
        for event in _newest(batch)
        if event.data.kind == "channel"
    ]
    await metering.hold(tx, channels, {event.org: event for event in batch})


@reaction(OrganizationGrantCreated, OrganizationGrantAccepted, OrganizationGrantRevoked, lane="usage")
async def count_children(tx: Transaction, batch: Sequence[Received[OrganizationGrant]]) -> None:
    """Count the organizations that one looks after; a grant is told to both sides, and counts for the parent."""
    children = [
        Holding(
            event.org,
            CHILD_ORGANIZATIONS,
            event.data.grant_id,
            event.data.state == "active",
            event.sequence,
        )
        for event in _newest(batch)
        if event.data.kind == "administration" and event.org == event.data.grantee_id
    ]
    if children:
        await metering.hold(tx, children, {event.org: event for event in batch})


def _newest(batch: Sequence[Received[T]]) -> list[Received[T]]:
    """The newest event of each subject."""
    ordered = sorted(batch, key=lambda event: event.sequence)
    return list({(event.org, event.subject): event for event in ordered}.values())
