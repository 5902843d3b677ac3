"""Keeps whose numbers an organization may see: grants of `analytics:read` that it has received."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from flotilla.bus.declare import Lane, projection
from flotilla.bus.envelope import Received
from flotilla.events.sharing import (
    OrganizationGrant,
    OrganizationGrantAccepted,
    OrganizationGrantCreated,
    OrganizationGrantRevoked,
)
from flotilla.store.postgres import Transaction

from flotilla_analytics.store import sharing as store

PERMISSION: Final = "analytics:read"
LANE: Final = Lane("grants", wait=timedelta(milliseconds=20))


@projection(
    OrganizationGrantCreated,
    OrganizationGrantAccepted,
    OrganizationGrantRevoked,
    lane=LANE.name,
    not_rebuilt="analytics answers replays, and has no shadow of its own",
)
async def keep_grants(tx: Transaction, batch: Sequence[Received[OrganizationGrant]]) -> None:
    """Both sides are told; this is the grantee's."""
    grants = [
        (
            event.org,
            event.data.grant_id,
            event.data.grantor_id,
            event.data.state == "active" and PERMISSION in event.data.permissions,
            event.data.expires_at,
            event.sequence,
        )
        for event in batch
        if event.org == event.data.grantee_id
    ]
    if grants:
        await store.keep(tx, grants)
