"""Telling that a subscription changed; only owners and administrators are told."""

from collections.abc import Mapping
from typing import Any

from flotilla.store.postgres import Transaction

from flotilla_integrations.partners.domain import Subscription


def tell(tx: Transaction, now: Subscription, changed: Mapping[str, list[Any]] | None = None) -> None:
    """Emit its state; `changed`: field → [old, new]."""
    tx.emit(now.told(changed), org=now.organization_id, sequence=now.sequence)
