"""What gateway holds of people, and how it is forgotten."""

from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.privacy import Privacy
from flotilla.privacy.declare import Counts

from flotilla_gateway import store
from flotilla_gateway.trust.standing import CHANNEL, ORGANIZATIONS


async def _close(app: App, org: UUID) -> Counts:
    """Tokens of an erased organization are good for a while yet, by what they say: nobody comes in with them."""
    async with app.db.transaction(org) as tx:
        await store.close(tx, org)
        await tx.notify(CHANNEL, ORGANIZATIONS)
    return {}


privacy: Final = Privacy(
    outside_of_organization=_close,
    kept={"organization_states": "that nobody of it comes in any more, by its id"},
)
"""Nobody in its tables: ids, roles and public keys. Redis counts by address, for as long as a limit or a block lasts (a
week for how often one was blocked); no log and no event names one."""
