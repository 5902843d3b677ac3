"""What any search has to do. Documents are versioned, so everything here is safe to repeat."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flotilla_analytics.domain.documents import Document, Kind

Key = tuple[float, UUID]
"""Score and id, by which results are sorted, the highest first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found."""

    kind: Kind
    id: UUID
    title: str
    body: str
    conversation_id: UUID | None
    occurred_at: datetime
    key: Key
    """Where it stands among the results: the cursor to go on after it."""


class Search(Protocol):
    """Finds contacts, companies and messages by words, tolerating a typo or an unfinished last word."""

    @property
    def name(self) -> str:
        """Names the cursor of its fold: another search starts from the first event."""
        ...

    async def index(self, documents: Sequence[Document]) -> None:
        """Make these findable, soon; an older version of what is there already changes nothing."""
        ...

    async def remove(self, documents: Collection[tuple[UUID, Kind, UUID]]) -> None:
        """Forget these (organization, kind, id)."""
        ...

    async def delete_person(self, org: UUID, people: Sequence[str]) -> None:
        """Forget every document that holds personal data of these people; done when this returns."""
        ...

    async def delete_organization(self, org: UUID) -> None:
        """Forget every document of an organization; done when this returns."""
        ...

    async def delete_messages(self, org: UUID, before: datetime, limit: int) -> int:
        """Forget messages that are older, at most so many: how many there were; done when this returns."""
        ...

    async def search(
        self, org: UUID, query: str, kinds: Collection[Kind], limit: int, after: Key | None = None
    ) -> list[Hit]:
        """What has all words of the query, the best first; `after` is the key of the last hit of a page."""
        ...
