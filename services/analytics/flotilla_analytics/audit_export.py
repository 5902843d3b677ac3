"""The audit log as a download, written block by block: as long as it may be, it costs the memory of one block."""

import csv
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.store.postgres import Row

from flotilla_analytics.auditing import Act, acts
from flotilla_analytics.domain.audit_file import PURPOSE, BlockLine, EventLine, Head, Signer, Writer, text_of
from flotilla_analytics.domain.chain import Entry
from flotilla_analytics.domain.exports import harmless
from flotilla_analytics.store import audit_log
from flotilla_analytics.store.audit_log import Wanted

COLUMNS: Final = ("id", "time", "actor", "action", "outcome", "subject", "field", "old", "new")
"""Of the table: a row for each field that changed, one for an act that changed none."""
PAGE: Final = 500


def signer(app: App) -> Signer:
    """The instance's; it outlives every rotation of the master keys."""
    return Signer.of(app.keyring.derive(PURPOSE))


async def proven(app: App, org: UUID, wanted: Wanted) -> AsyncIterator[bytes]:
    """The file that proves itself (flotilla_analytics.domain.audit_file); acts that have no position yet come later."""
    writer = Writer()
    yield writer.line(Head(org, wanted.said(), datetime.now(UTC).isoformat()))
    async with app.db.transaction(org) as tx:
        span = await audit_log.read_span(tx, org, wanted)
    position = span[0] if span else 0
    while span and (block := await audit_log.read_block(app.db, position, span[1])) is not None:
        yield await _block(app, org, wanted, block, writer)
        position = block["position_to"] + 1
    yield writer.end(signer(app))


async def _block(app: App, org: UUID, wanted: Wanted, block: Row, writer: Writer) -> bytes:
    entries = await audit_log.read_entries(app.db, block)
    async with app.db.transaction(org) as tx:
        rows = await audit_log.read_own(tx, org, wanted, block)
        found = await acts(tx, org, rows)
    lines = [
        writer.line(EventLine(row["position"], row["text"], msgspec.to_builtins(act.plain())))
        for row, act in zip(rows, found, strict=True)
    ]
    digests = [Entry(row["event_id"], row["organization_id"], row["hash"]).digest() for row in entries]
    closing = BlockLine(
        position_from=block["position_from"],
        position_to=block["position_to"],
        previous=block["previous_hash"].hex(),
        content=block["content"].hex(),
        hash=block["hash"].hex(),
        digests=text_of(digests),
        own=[row["position"] for row in rows],
        lines=text_of([hashlib.sha256(line).digest() for line in lines]),
    )
    return b"".join(lines) + writer.line(closing)


async def table(app: App, org: UUID, wanted: Wanted) -> AsyncIterator[bytes]:
    """CSV for spreadsheets, newest first (RFC 4180, with a byte-order mark); it proves nothing."""
    yield "\ufeff".encode() + _csv([COLUMNS])
    after: tuple[datetime, UUID] | None = None
    more = True
    while more:
        async with app.db.transaction(org) as tx:
            rows = await audit_log.read_page(tx, org, wanted, after, PAGE)
            found = await acts(tx, org, rows)
        yield _csv([row for act in found for row in _rows(act)])
        more = len(rows) == PAGE
        after = (rows[-1]["time"], rows[-1]["id"]) if rows else None


def _rows(act: Act) -> list[tuple[Any, ...]]:
    first = (act.id, act.time.isoformat(), act.actor, act.action, act.outcome, act.subject)
    if not act.changes:
        return [(*first, None, None, None)]
    return [(*first, change.field, _cell(change.old), _cell(change.new)) for change in act.changes]


def _cell(value: Any) -> str | None:
    """Text as it is, else JSON."""
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _csv(rows: list[Any]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()
