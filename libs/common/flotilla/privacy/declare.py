"""How a service says what it holds of people, and how that is forgotten.

    privacy = Privacy(
        rows=(
            Rows("conversations", identity=("identity_id",)),
            Rows("messages", via=(("conversation_id", "conversations"),)),
            Rows("deals", contact=("contact_id",), clear={"title": "''"}),
            Rows("feed", naming=("event",)),
        ),
        harmless={"inboxes": "what an organization calls its own inboxes"},
    )

A row is somebody's by a column that holds their id, by belonging to such a row (`via`), or by naming one of their ids
or of their rows' ids somewhere in a text, a document or an event (`naming`). It goes, or columns of it are cleared.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flotilla.privacy.keep import Keep, KeepOutside

if TYPE_CHECKING:
    from flotilla.app import App
    from flotilla.store.postgres import Transaction

IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Person:
    """Somebody, by every id that services know them by."""

    contacts: tuple[UUID, ...] = ()
    identities: tuple[UUID, ...] = ()
    users: tuple[UUID, ...] = ()
    conversations: tuple[UUID, ...] = ()
    """Theirs: not who they are, but what is noted about one may speak of them."""

    @property
    def ids(self) -> tuple[UUID, ...]:
        """All of them."""
        return (*self.contacts, *self.identities, *self.users, *self.conversations)

    @property
    def references(self) -> tuple[str, ...]:
        """As the archive names them: `contact:<id>`."""
        kinds = (("contact", self.contacts), ("identity", self.identities), ("user", self.users))
        return tuple(f"{kind}:{id_}" for kind, ids in kinds for id_ in ids)


@dataclass(frozen=True)
class Rows:
    """Rows of one table that say something of a person. Of a table with parents, the parents are declared first."""

    table: str
    contact: tuple[str, ...] = ()
    """Columns with a contact's id."""
    identity: tuple[str, ...] = ()
    """Columns with a channel identity's id."""
    user: tuple[str, ...] = ()
    """Columns with a colleague's id."""
    conversation: tuple[str, ...] = ()
    """Columns with a conversation's id."""
    via: tuple[tuple[str, str], ...] = ()
    """(column, table declared before, whose key it holds)."""
    naming: tuple[str, ...] = ()
    """Columns of text, jsonb or bytea in which ids stand."""
    clear: Mapping[str, str] | None = None
    """Column to the SQL it is set to; None: the row goes; none: it stays as it is, and others are found by it."""
    redact: str | None = None
    """The column that holds an event: what is personal in it is left out, and the row stays."""
    key: str | None = "id"
    """The row's own id, which others may name; None where it has none."""

    def __post_init__(self) -> None:
        columns = (*self.contact, *self.identity, *self.user, *self.conversation, *self.naming)
        names = (self.table, *columns, *(self.clear or ()))
        for name in (*names, *(part for pair in self.via for part in pair), self.key or self.table):
            if not IDENTIFIER.fullmatch(name):
                raise ValueError(f"{self.table}: {name!r} is no name of a table or a column")


Counts = dict[str, int]
"""Names of tables, collections, indexes, folders, to how many things of them."""


@dataclass(frozen=True)
class Privacy:
    """All that one service holds of people."""

    rows: tuple[Rows, ...] = ()
    outside: "Callable[[App, UUID, Person], Awaitable[Counts]] | None" = None
    """Removes what is outside Postgres (bodies, indexes, files), before the rows go; safe to repeat."""
    within: "Callable[[Transaction, UUID, Person], Awaitable[Counts]] | None" = None
    """Does in the transaction, before the rows go, what takes more than rows: facts to tell, tombstones."""
    documents: "Callable[[App, UUID, Person | None], AsyncIterator[tuple[str, list[Any]]]] | None" = None
    """What is outside Postgres, for an export: names of collections with things of them, some at a time; of the whole
    organization where no person is named."""
    outside_of_organization: "Callable[[App, UUID], Awaitable[Counts]] | None" = None
    """The same as `outside`, of all an organization has."""
    harmless: Mapping[str, str] = field(default_factory=dict)
    """Tables with texts that say nothing of a person: why."""
    keeps: tuple[Keep | KeepOutside, ...] = ()
    """What grows old, and how it goes (`flotilla.privacy.sweeping`)."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Tables that stay when an organization is erased: why."""
