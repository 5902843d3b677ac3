"""The AI budget of a plan: once it is used up and nothing beyond it is charged for, no hosted model is asked.

Customers are answered all the same: the local provider does what it can, and the draft says why.
"""

from collections.abc import Sequence
from typing import Final

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.billing import Entitlement, EntitlementChanged, UsageLimitReached
from flotilla.store.postgres import Transaction

from flotilla_ai.library import announce
from flotilla_ai.store import budgets as store

FEATURES: Final = frozenset({"ai_requests", "ai_tokens"})


@projection(EntitlementChanged, UsageLimitReached, lane="budgets", tables=("budgets",))
async def keep_budgets(tx: Transaction, batch: Sequence[Received[Entitlement]]) -> None:
    """Know whose budget is used up; overage goes on, and so does what a plan does not limit."""
    told = [event for event in batch if event.data.feature in FEATURES]
    if not told:
        return
    rows = [
        (event.org, event.data.feature, event.sequence, _is_used_up(event.data), event.data.period_ends_at)
        for event in told
    ]
    await store.keep(tx, rows)
    for org in sorted({event.org for event in told}):
        await announce(tx, org)


def _is_used_up(told: Entitlement) -> bool:
    full = told.limit is not None and told.used >= told.limit
    return not told.enabled or (told.beyond == "block" and full)
