"""What people allowed: said, recorded, told."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flotilla.security.principal import Principal
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.consents import Consent
from flotilla_crm.store import consents as store


async def say(tx: Transaction, who: Principal, contact_id: UUID, said: Mapping[str, Any]) -> Consent:
    """Record what a person allowed or no longer does; the caller holds the contact. How it stands now.

    What was said before what stands is recorded, and changes nothing.
    """
    before, after = await store.say(tx, who.org, contact_id, {**said, "actor": who.actor})
    if before is None or after.sequence > before.sequence:
        changed = {}
        if before is not None and before.state != after.state:
            changed = {"state": [before.state, after.state]}
        tx.emit(after.told(changed), org=who.org, sequence=after.sequence, audience=AUDIENCE)
    return after


async def follow_merge(tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID) -> None:
    """What one of two contacts said, both did; where they differ, the stricter holds."""
    _tell(tx, org, await store.move(tx, org, loser, winner, merge_id))


async def follow_unmerge(tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID) -> None:
    """What the one had said is its own again; what the other became stricter by stays."""
    _tell(tx, org, await store.move_back(tx, org, loser, winner, merge_id))


def _tell(tx: Transaction, org: UUID, consents: Sequence[Consent]) -> None:
    for each in consents:
        tx.emit(each.told({}), org=org, sequence=each.sequence, audience=AUDIENCE)
