"""What people do: each command changes one thing and tells of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.security.principal import Principal
from flotilla.store.postgres import Row, Transaction

from flotilla_kyb.domain.counterparty import Counterparty
from flotilla_kyb.domain.identity import GLEIF, VIES, Identity
from flotilla_kyb.starting import start_check, supersede_check
from flotilla_kyb.store import alerts
from flotilla_kyb.store import counterparties as store
from flotilla_kyb.store.checks import Check
from flotilla_kyb.work import AUDIENCE, arm_monitor

IDENTIFIERS = {"vat_number": VIES, "lei": GLEIF}
"""The register that knows each by nothing else."""


async def create_counterparty(
    tx: Transaction, who: Principal, identity: Identity, monitoring: str
) -> Counterparty:
    """Know a business, check it, and go on checking it as wanted."""
    now = datetime.now(UTC)
    draft = Counterparty(
        id=tx.app.new_id(), monitoring=monitoring, created_at=now, updated_at=now, **identity.as_dict()
    )
    counterparty = await store.add(tx, who.org, draft)
    tx.emit(counterparty.created(), org=who.org, sequence=counterparty.sequence, audience=AUDIENCE)
    await arm_monitor(tx, who.org, counterparty.id, monitoring)
    await start_check(tx, who.org, counterparty, "created", actor=who.actor)
    return await _reread(tx, who.org, counterparty.id)


async def change_counterparty(
    tx: Transaction, who: Principal, counterparty: Counterparty, wanted: Mapping[str, Any]
) -> Counterparty:
    """Change one that the transaction holds; another identity is checked at once, the old one's answers go."""
    changed = {
        field: [getattr(counterparty, field), value]
        for field, value in wanted.items()
        if getattr(counterparty, field) != value
    }
    if not changed:
        return counterparty
    revised = replace(counterparty, **{field: new for field, (_, new) in changed.items()})
    saved = await store.save(tx, who.org, revised)
    tx.emit(saved.changed(changed), org=who.org, sequence=saved.sequence, audience=AUDIENCE)
    if "monitoring" in changed:
        await arm_monitor(tx, who.org, saved.id, saved.monitoring)
    if changed.keys() - {"monitoring"}:
        await supersede_check(tx, who.org, saved.id)
        others = [source for field, source in IDENTIFIERS.items() if field in changed]
        await store.forget_standings(tx, who.org, saved.id, others)
        await start_check(tx, who.org, saved, "changed", actor=who.actor)
    return await _reread(tx, who.org, saved.id)


async def check_now(tx: Transaction, who: Principal, counterparty: Counterparty) -> Check:
    """Ask the registers now; the check that is running is told of where one is."""
    return await start_check(tx, who.org, counterparty, "asked", actor=who.actor)


async def acknowledge(tx: Transaction, who: Principal, alert_id: UUID) -> Row | None:
    """Say that somebody has seen to it; saying so again changes nothing."""
    row = await tx.fetchrow(alerts.ACKNOWLEDGE, who.org, alert_id, who.user_id)
    return row if row is not None else await tx.fetchrow(alerts.READ, who.org, alert_id)


async def _reread(tx: Transaction, org: UUID, counterparty_id: UUID) -> Counterparty:
    """As it is now: a check that no register can be asked for has ended already."""
    found = await store.read(tx, org, counterparty_id)
    assert found is not None
    return found
