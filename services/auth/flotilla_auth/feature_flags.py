"""Feature flags: told to all services when they change; the platform's own by its operators (`flotilla flags`)."""

from dataclasses import replace
from typing import Final

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.privacy import FeatureFlagChanged
from flotilla.store.postgres import Transaction

from flotilla_auth.events import changes
from flotilla_auth.store import feature_flags as store
from flotilla_auth.store.feature_flags import FeatureFlag

FIELDS: Final = ("enabled", "percentage", "description", "state")


class Setting(msgspec.Struct, frozen=True):
    """What an operator says of a feature, of an organization's or, in the zero organization, of the platform's."""

    key: str
    environment: str
    enabled: bool
    percentage: int
    description: str
    deleted: bool = False


def tell(
    tx: Transaction, now: FeatureFlag, before: FeatureFlag | None = None, cause: Cause | None = None
) -> None:
    """Say it to every service."""
    event = FeatureFlagChanged(
        flag_id=now.id,
        key=now.key,
        environment=now.environment,
        enabled=now.enabled,
        percentage=now.percentage,
        description=now.description,
        state=now.state,
        changed=changes(before, now, FIELDS) if before else {},
    )
    tx.emit(event, org=now.organization_id, sequence=now.sequence, cause=cause)


async def _set(tx: Transaction, job: Job) -> None:
    said: Setting = job.payload
    before = await store.lock_by_key(tx, job.org, said.key, said.environment)
    if before is None:
        if said.deleted:
            return
        made = await store.insert(
            tx,
            job.org,
            tx.app.new_id(),
            key=said.key,
            environment=said.environment,
            enabled=said.enabled,
            percentage=said.percentage,
            description=said.description,
        )
        if made is None:
            raise LookupError("another process has just made it")  # the timer fires again
        tell(tx, made, cause=job.cause)
        return
    wanted = replace(
        before,
        enabled=said.enabled and not said.deleted,
        percentage=said.percentage,
        description=said.description or before.description,
        state="deleted" if said.deleted else before.state,
    )
    if wanted != before:
        tell(tx, await store.update(tx, wanted), before, job.cause)


flag_setting: Final = TimerKind("feature_flag", Setting, _set)
