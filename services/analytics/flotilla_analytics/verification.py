"""The verifier: reads the archive and its ledger again, and says what is not as it was sealed.

It proves that nothing before the head has changed since it was sealed, to whoever noted an earlier head: who
can rewrite every block after a change can also make the hashes fit, but not one that was noted elsewhere.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Row

from flotilla_analytics.domain import chain
from flotilla_analytics.domain.chain import MODULUS, Block, Entry
from flotilla_analytics.store import audit

ORGS_AT_ONCE: Final = 100
EVENTS_AT_ONCE: Final = 50_000
FIRST_ID: Final = UUID(int=0)


class Wrong(StrEnum):
    """What can be wrong."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed."""

    wrong: Wrong
    what: str
    position: int | None = None
    event_id: UUID | None = None


@dataclass
class Report:
    """What was read and what was found."""

    events: int = 0
    blocks: int = 0
    head: int = 0
    """The last position that holds."""
    head_hash: bytes = chain.FIRST_HASH
    """Note it elsewhere; give it again as `noted` to the next verification."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.findings


async def verify(
    db: Database, *, noted: tuple[int, bytes] | None = None, since: tuple[int, bytes] | None = None
) -> Report:
    """Read everything again. `noted` is the (position, hash) of an earlier head that must still be there.

    `since` is one at which to begin: blocks up to there are taken as they were found then, and not read. What was
    inserted without a place in the ledger is found wherever it is.
    """
    report = Report(head=since[0], head_hash=since[1]) if since else Report()
    suspects = _Suspects()
    noted_seen = noted is None
    async for block in _blocks(db, report.head):
        suspects.follow(report, block)
        _check_link(report, block)
        await _check_block(db, report, suspects, block)
        noted_seen = noted_seen or noted == (block.position_to, block.hash)
        report.blocks += 1
        report.head, report.head_hash = block.position_to, block.hash
    suspects.follow(report, None)
    report.findings += suspects.findings()
    if not noted_seen and noted is not None:
        report.findings.append(Finding(Wrong.CHANGED, "the noted head is no longer in the chain", noted[0]))
    await _find_inserted(db, report)
    return report


async def _blocks(db: Database, after: int) -> AsyncIterator[Block]:
    while rows := await db.fetch(audit.READ_BLOCKS, after):
        for row in rows:
            yield Block(
                *(row[name] for name in ("position_from", "position_to", "previous_hash", "content", "hash"))
            )
        after = rows[-1]["position_to"]


def _check_link(report: Report, block: Block) -> None:
    if block.position_from != report.head + 1:
        what = f"no block covers positions {report.head + 1} to {block.position_from - 1}"
        report.findings.append(Finding(Wrong.MISSING, what, report.head + 1))
    elif block.previous_hash != report.head_hash:
        what = "the block does not follow the one before"
        report.findings.append(Finding(Wrong.CHANGED, what, block.position_from))


@dataclass
class _Suspects:
    """Blocks with all their positions whose hash is another one: changed, or only in another order."""

    blocks: list[Block] = field(default_factory=list)
    difference: int = 0
    """Sealed content minus content found, over all of them: 0 where the entries are the same ones."""
    last: tuple[Block, Block] | None = None
    """The block before this one, as it stands and as its entries make it, where they differ."""

    def add(self, block: Block, resealed: Block) -> None:
        """A block that is not what its entries make."""
        self.last = (block, resealed)

    def follow(self, report: Report, following: Block | None) -> None:
        """Decide on the block before: where the next one follows what its entries make, only its row changed."""
        if self.last is None:
            return
        block, resealed = self.last
        self.last = None
        if following is not None and following.previous_hash == resealed.hash:
            finding = Finding(Wrong.CHANGED, "the block, not its entries", block.position_from)
            report.findings.append(finding)
            return
        self.blocks.append(block)
        self.difference += int.from_bytes(block.content, "big") - int.from_bytes(resealed.content, "big")

    def findings(self) -> list[Finding]:
        """What they come to, once all are known."""
        reordered = self.difference % MODULUS == 0
        wrong = Wrong.REORDERED if reordered else Wrong.CHANGED
        how = "in another order than" if reordered else "not the entries that were"
        return [
            Finding(wrong, f"positions to {block.position_to} are {how} sealed", block.position_from)
            for block in self.blocks
        ]


async def _check_block(db: Database, report: Report, suspects: _Suspects, block: Block) -> None:
    """Compare each archived row with its entry, and the entries with the block."""
    rows = await _entries(db, block)
    report.events += len(rows)
    missing = set(range(block.position_from, block.position_to + 1)) - {row["position"] for row in rows}
    report.findings += [Finding(Wrong.MISSING, "no ledger entry", position) for position in sorted(missing)]
    for row in rows:
        if row["found"] is None:
            finding = Finding(Wrong.MISSING, "no archived event", row["position"], row["event_id"])
            report.findings.append(finding)
        elif row["found"] != row["hash"]:
            finding = Finding(Wrong.CHANGED, "archived event", row["position"], row["event_id"])
            report.findings.append(finding)
    entries = [Entry(row["event_id"], row["organization_id"], row["hash"]) for row in rows]
    if not missing and (resealed := chain.seal(block.previous_hash, block.position_from, entries)) != block:
        suspects.add(block, resealed)


async def _entries(db: Database, block: Block) -> list[Row]:
    """The block's ledger entries, each with the hash of its archived row as it is now (`found`)."""
    orgs = [row["organization_id"] for row in await db.fetch(audit.READ_BLOCK_ORGS, *_span(block))]
    async with db.transaction(orgs) as tx:
        return await tx.fetch(audit.READ_BLOCK, *_span(block))


def _span(block: Block) -> tuple[int, int]:
    return block.position_from, block.position_to


async def _find_inserted(db: Database, report: Report) -> None:
    """Entries behind the last block, and archived events that were never given to the ledger."""
    for row in await db.fetch(audit.READ_BEYOND, report.head):
        finding = Finding(Wrong.INSERTED, "ledger entry in no block", row["position"], row["event_id"])
        report.findings.append(finding)
    orgs = [row["organization_id"] for row in await db.fetch(audit.READ_ORGS)]
    for start in range(0, len(orgs), ORGS_AT_ONCE):
        some = orgs[start : start + ORGS_AT_ONCE]
        async for event_id in _unlisted(db, some):
            report.findings.append(Finding(Wrong.INSERTED, "archived event", None, event_id))


async def _unlisted(db: Database, orgs: Sequence[UUID]) -> AsyncIterator[UUID]:
    """Archived events of these organizations, in their order, that are in no ledger; some are looked at a time."""
    org, after = orgs[0], FIRST_ID
    while True:
        async with db.transaction(orgs) as tx:
            found = await tx.fetchrow(audit.READ_UNLISTED, org, after, orgs[-1], EVENTS_AT_ONCE)
        if found is None:
            return
        for event_id in found["unlisted"]:
            yield event_id
        org, after = found["organization_id"], found["id"]
