"""Which organizations may look after others: those whose plan has it (billing's `child_organizations`).

The gateway refuses by the same word, from memory, and lets in an organization of which it knows nothing yet. Here
nothing is allowed that billing has not said, so that nobody founds a child in the first second of a trial.
"""

from collections.abc import Sequence
from uuid import UUID

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.billing import Entitlement, EntitlementChanged, UsageLimitReached
from flotilla.features import CHILD_ORGANIZATIONS
from flotilla.problems import FeatureNotIncludedError, LimitReachedError
from flotilla.store.postgres import Transaction

from flotilla_auth.onboarding import LANE
from flotilla_auth.store import child_allowances as store


@projection(EntitlementChanged, UsageLimitReached, lane=LANE, tables=("child_allowances",))
async def keep_child_allowances(tx: Transaction, batch: Sequence[Received[Entitlement]]) -> None:
    """What plans say of children."""
    told = [event for event in batch if event.data.feature == CHILD_ORGANIZATIONS]
    # Two events tell of one row: the later one of a batch.
    newest = {event.org: event for event in sorted(told, key=lambda event: event.sequence)}
    rows = [
        (org, event.data.enabled, _is_used_up(event.data), event.sequence)
        for org, event in sorted(newest.items())
    ]
    if rows:
        await store.keep(tx, rows)


def _is_used_up(told: Entitlement) -> bool:
    return told.beyond == "block" and told.limit is not None and told.used >= told.limit


async def check(tx: Transaction, org: UUID) -> None:
    """A 403 problem where the organization's plan has no children, 402 where there are as many as were agreed."""
    allowance = await store.read(tx, org)
    if not allowance.enabled:
        raise FeatureNotIncludedError(
            "Looking after other organizations takes the enterprise plan. An owner can change the plan: "
            "GET /v1/plans, PUT /v1/subscription.",
            feature=CHILD_ORGANIZATIONS,
        )
    if allowance.used_up:
        raise LimitReachedError(
            "You look after as many organizations as was agreed: GET /v1/usage. Give one up "
            "(DELETE /v1/organization/received-grants/{received_grant_id}), or have your contract changed.",
            feature=CHILD_ORGANIZATIONS,
        )
