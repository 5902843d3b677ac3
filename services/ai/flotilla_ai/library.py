"""What this process remembers of organizations: their knowledge, indexed, their choice of provider, their budget.

Loaded when first needed, many organizations at once; forgotten when a transaction that changed it says so
(`NOTIFY`), and when it has grown too large for those used least.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import numpy as np
from flotilla.app import App
from flotilla.store.postgres import Row, Transaction

from flotilla_ai.domain.compose import TONES
from flotilla_ai.domain.knowledge import HASHING, KnowledgeIndex
from flotilla_ai.domain.knowledge.embedding import DIMENSIONS
from flotilla_ai.domain.policies import Policy
from flotilla_ai.store import budgets, knowledge, settings
from flotilla_ai.store import policies as policy_store

CHANGED: Final = "organization_changed"
"""The channel on which a transaction tells that an organization's shelf has changed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which provider an organization has chosen."""

    provider: str = "local"
    base_url: str = ""
    model: str = ""
    sealed_api_key: bytes | None = None
    tone: str = TONES[0]

    @property
    def hosted(self) -> bool:
        """Whether a model elsewhere was chosen."""
        return self.provider != "local"


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is remembered of one organization."""

    choice: Choice
    index: KnowledgeIndex
    used_up_until: datetime | None = None
    """When its plan allows AI again; None where it does now."""
    policies: tuple[Policy, ...] = ()
    """What it does not want said."""

    @property
    def asks_elsewhere(self) -> bool:
        """Whether drafts come from the hosted model that was chosen."""
        return self.choice.hosted and not self.is_over_budget

    @property
    def is_over_budget(self) -> bool:
        """Whether the plan's AI is used up, and nothing beyond it is charged for."""
        return self.used_up_until is not None and datetime.now(UTC) < self.used_up_until


class Library:
    """The shelves of this process."""

    def __init__(self, megabytes: int) -> None:
        self._limit = megabytes << 20
        self._shelves: OrderedDict[UUID, Shelf] = OrderedDict()
        self._changes: dict[UUID, int] = {}
        self._epoch = 0
        self._loading = asyncio.Lock()

    async def of(self, app: App, orgs: Iterable[UUID]) -> dict[UUID, Shelf]:
        """The shelves of these organizations; not to be awaited in a transaction."""
        wanted = set(orgs)
        found = self._here(wanted)
        if len(found) < len(wanted):
            async with self._loading:
                found = self._here(wanted)
                missing = sorted(wanted - found.keys())
                if missing:
                    found |= await self._load(app, missing)
        return found

    def forget(self, org: UUID) -> None:
        """It has changed."""
        self._shelves.pop(org, None)
        self._changes[org] = self._changes.get(org, 0) + 1

    def forget_all(self) -> None:
        """Changes may have gone unheard."""
        self._shelves.clear()
        self._changes.clear()
        self._epoch += 1

    def _here(self, orgs: set[UUID]) -> dict[UUID, Shelf]:
        found = {}
        for org in orgs:
            if org in self._shelves:
                self._shelves.move_to_end(org)
                found[org] = self._shelves[org]
        return found

    async def _load(self, app: App, orgs: Sequence[UUID]) -> dict[UUID, Shelf]:
        before = {org: self._version(org) for org in orgs}
        async with app.db.transaction(orgs) as tx:
            chosen = await settings.read(tx, orgs)
            chunks = await knowledge.chunks_of(tx, orgs)
            used_up = await budgets.used_up(tx, orgs)
            policies = await policy_store.enabled(tx, orgs)
        found = {}
        for org in orgs:
            # Large knowledge takes tenths of a second to index: not on the loop.
            index = await asyncio.to_thread(_indexed, chunks.get(org, []))
            found[org] = Shelf(
                _choice(chosen.get(org)), index, used_up.get(org), tuple(policies.get(org, ()))
            )
            # What changed while it was read is used this once and not kept.
            if self._version(org) == before[org]:
                self._shelves[org] = found[org]
        self._shrink()
        return found

    def _version(self, org: UUID) -> tuple[int, int]:
        return self._epoch, self._changes.get(org, 0)

    def _shrink(self) -> None:
        total = sum(shelf.index.size for shelf in self._shelves.values())
        while total > self._limit and len(self._shelves) > 1:
            _, dropped = self._shelves.popitem(last=False)
            total -= dropped.index.size


async def announce(tx: Transaction, org: UUID) -> None:
    """Have every process forget an organization's shelf once this transaction has committed."""
    library: Library = tx.app.own.library
    tx.after_commit(lambda: library.forget(org))
    await tx.notify(CHANGED, str(org))


def _choice(row: Row | None) -> Choice:
    if row is None:
        return Choice()
    return Choice(
        row["provider"], row["base_url"] or "", row["model"] or "", row["sealed_api_key"], row["tone"]
    )


def _indexed(rows: Sequence[Row]) -> KnowledgeIndex:
    chunks = [knowledge.chunk_of(row) for row in rows]
    vectors = np.empty((len(rows), DIMENSIONS), np.float32)
    for number, row in enumerate(rows):
        if row["embedder"] == HASHING.name:
            vectors[number] = np.frombuffer(row["embedding"], np.float16)
        else:
            vectors[number] = HASHING.embed([chunks[number].searched])[0]
    return KnowledgeIndex(chunks, vectors)
