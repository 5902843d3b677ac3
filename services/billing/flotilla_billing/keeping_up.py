"""Plans that a deploy changed reach those who have them: each organization's entitlements are brought into line, once.

Whatever brings an organization's entitlements into line notes by which plans (`subscribers`). One worker looks for
those that are by others than this process has, some at a time: what differs is written and told in the transaction that
notes it, so a process that dies leaves the rest to the next turn, and what was done is not done again. Where nothing
differs nothing is told. What a process of the version before does while a deploy replaces it is by its own plans, and
noted so: it is brought into line once that process is gone.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.cause import Cause

from flotilla_billing.allowing import allow_all
from flotilla_billing.domain.plans import edition
from flotilla_billing.store import subscriptions as store

log = structlog.get_logger()

SOME: Final = 100
"""Organizations in a transaction."""


async def keep_up(app: App) -> None:
    """A turn: all that are behind, or as many as there is time for."""
    after = UUID(int=0)
    while (orgs := await store.behind(app.db, edition(), after, SOME)) and not app.stopping.is_set():
        async with app.db.transaction(orgs, cause=Cause.fresh("service:billing")) as tx:
            held = {each.organization_id: each for each in await store.hold(tx, orgs)}
            await allow_all(tx, held, dict.fromkeys(held))
            # Of those that are being erased just now: they are not looked for again.
            await store.caught_up(tx, [org for org in orgs if org not in held], edition())
        after = orgs[-1]
        log.info("plans.kept_up", organizations=len(orgs))


worker: Final = Worker("billing.plans", timedelta(seconds=30), keep_up)
