"""Erasing a person from the read side: their keys are destroyed, and what search holds of them goes."""

from uuid import UUID

from flotilla.app import App

from flotilla_analytics.resources import Resources
from flotilla_analytics.store.persons import destroy_keys


async def erase_person(app: App, org: UUID, person: str) -> list[str]:
    """Erase `contact:<id>` or `identity:<id>`, with all identities of the contact; the references erased.

    Keys go first: a search fold that is indexing them at this moment checks the keys after it has written
    (`flotilla_analytics.workers.search`), so nothing of them stays whichever comes last. Safe to repeat.
    """
    own: Resources = app.own
    async with app.db.transaction(org) as tx:
        erased = await destroy_keys(tx, org, person)
    await own.search.delete_person(org, erased)
    return erased
