"""Records of connected CRMs: a notice says that one changed, reading it says what it is now, and that is told once."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.events.connectors import ExternalRecordChanged
from flotilla.events.integrations import IntegrationFailed
from flotilla.ids import derived_id, new_id
from flotilla.store.postgres import Transaction

from flotilla_integrations.adapters.base import AccountRefusedError, RefusedError
from flotilla_integrations.adapters.crm import (
    MOST_RECORDS,
    READ_RECORDS,
    ReadRecord,
    ReadRecords,
    RecordNotice,
    RecordsRead,
)
from flotilla_integrations.domain import EPOCH, Account
from flotilla_integrations.events import AUDIENCE, say_account
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts
from flotilla_integrations.store import connectors as store

READ: Final = "records_read"
SHORT: Final = 16


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The records to be read."""

    account_id: UUID
    object_type: str
    external_ids: tuple[str, ...]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a record."""

    object_type: str
    external_id: str
    fields: dict[str, str | None] | None
    updated_at: datetime


async def notice(tx: Transaction, account: Account, notices: Sequence[RecordNotice]) -> None:
    """Have what changed read; what was deleted is told at once."""
    last = {
        (each.object_type, each.external_id): each
        for each in sorted(notices, key=lambda one: one.occurred_at)
    }
    gone = [each for each in last.values() if each.deleted]
    await _keep(
        tx,
        account,
        [
            State(
                object_type=each.object_type,
                external_id=each.external_id,
                fields=None,
                updated_at=each.occurred_at,
            )
            for each in gone
        ],
    )
    changed: dict[str, list[str]] = defaultdict(list)
    for each in last.values():
        if not each.deleted:
            changed[each.object_type].append(each.external_id)
    for object_type, ids in changed.items():
        for place in range(0, len(ids), MOST_RECORDS):
            wanted = Wanted(
                account_id=account.id,
                object_type=object_type,
                external_ids=tuple(ids[place : place + MOST_RECORDS]),
            )
            # A key of its own each: a reading that is under way may have been too early for this change.
            tx.enqueue(READ, str(new_id()), wanted, org=account.organization_id)


async def read(app: App, job: Job) -> RecordsRead | RefusedError | None:
    """Ask the CRM; None where it is connected no more."""
    wanted: Wanted = job.payload
    known = await own(app).directory.find(wanted.account_id)
    if known is None or known.adapter is None or not known.is_open:
        return None
    asked = ReadRecords(object_type=wanted.object_type, external_ids=wanted.external_ids)
    try:
        found: RecordsRead = await known.adapter.execute(READ_RECORDS, asked)
    except RefusedError as error:
        return error
    return found


async def was_read(tx: Transaction, job: Job, result: RecordsRead | RefusedError | None) -> None:
    """Tell what differs from what was told before."""
    wanted: Wanted = job.payload
    account = await accounts.one(tx, accounts.READ, job.org, wanted.account_id)
    if account is None or result is None:
        return
    if isinstance(result, RefusedError):
        if isinstance(result, AccountRefusedError):
            refused = await accounts.one(tx, accounts.REFUSED, job.org, account.id, str(result))
            if refused is not None:
                await say_account(tx, refused, IntegrationFailed)
        return
    await _keep(tx, account, [_state(wanted.object_type, each) for each in result.records])


async def not_read(tx: Transaction, job: Job, error: Exception) -> None:
    """The CRM does not answer: the next notice of the record reads it."""


async def _keep(tx: Transaction, account: Account, states: Sequence[State]) -> None:
    if not states:
        return
    org = account.organization_id
    named = {_id(account, each): each for each in states}
    before = {row["id"]: row for row in await tx.fetch(store.RECORDS, org, list(named))}
    digests = {id_: _digests(each.fields) for id_, each in named.items()}
    rows = await tx.fetch(
        store.KEEP_RECORDS,
        org,
        account.id,
        list(named),
        [each.object_type for each in named.values()],
        [each.external_id for each in named.values()],
        [msgspec.json.encode(digests[id_]).decode() for id_ in named],
        [each.fields is None for each in named.values()],
        [each.updated_at for each in named.values()],
    )
    for row in rows:
        id_ = row["id"]
        old: Any = before.get(id_)
        event = _event(account, id_, named[id_], digests[id_], old)
        tx.emit(event, org=org, sequence=row["sequence"], audience=AUDIENCE)


def _event(
    account: Account, id_: UUID, now: State, digests: dict[str, str], before: Any
) -> ExternalRecordChanged:
    known = {} if before is None else before["digests"]
    what = "created" if before is None or before["deleted"] else "updated"
    return ExternalRecordChanged(
        record_id=id_,
        account_id=account.id,
        system=account.connector,
        object_type=now.object_type,
        external_id=now.external_id,
        what="deleted" if now.fields is None else what,
        fields=now.fields,
        changed_fields=sorted(name for name in digests if digests[name] != known.get(name)),
        updated_at=now.updated_at,
    )


def _state(object_type: str, found: ReadRecord) -> State:
    return State(
        object_type=object_type,
        external_id=found.external_id,
        fields=None if found.archived else found.fields,
        updated_at=found.updated_at,
    )


def _id(account: Account, state: State) -> UUID:
    return derived_id(EPOCH, "record", str(account.id), state.object_type, state.external_id)


def _digests(fields: dict[str, str | None] | None) -> dict[str, str]:
    return {
        name: hashlib.sha256(value.encode()).hexdigest()[:SHORT]
        for name, value in (fields or {}).items()
        if value is not None
    }


read_job: Final = JobKind(READ, Wanted, read, was_read, not_read, lease=timedelta(seconds=90), attempts=6)
