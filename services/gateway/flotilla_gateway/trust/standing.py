"""What a token cannot say of itself: that its session ended, its holder's role changed, its org is suspended.

Kept in memory from the gateway's tables and refreshed when another process notifies. Of sessions and people
only what changed within the life of a token is kept: older changes are in the tokens themselves, or these
have expired.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from flotilla.security.principal import MOST_COLLEAGUES
from flotilla.store.postgres import Database

from flotilla_gateway import store
from flotilla_gateway.trust.keys import KeySet
from flotilla_gateway.trust.records import Membership

log = structlog.get_logger()

CHANNEL: Final = "trust"
KEYS: Final = "keys"
ORGANIZATIONS: Final = "organizations"
SESSIONS: Final = "sessions"
MEMBERSHIPS: Final = "memberships"
EVERYTHING: Final = (KEYS, ORGANIZATIONS, SESSIONS, MEMBERSHIPS)
API_KEYS: Final = "api_keys"
ENTITLEMENTS: Final = "entitlements"
ROLES: Final = "roles"
ORIGINS: Final = "origins"
TEAMS: Final = "teams"
"""Told with the ids that changed, `api_keys:<id>,<id>`: there are too many to read them all each time."""

TOKEN_LIFETIME: Final = timedelta(minutes=15)
REMEMBERED: Final = TOKEN_LIFETIME + timedelta(minutes=2)
"""With room for clocks that differ."""
REFRESH_SECONDS: Final = 60.0
"""Everything is read again this often, which also forgets what is no longer needed."""


Reader = Callable[[Database, Sequence[UUID] | None], Awaitable[None]]
"""Reads again what has these ids; all there is, where none are named."""


class Standing:
    """The latest that is known; `epoch` counts up whenever it changes."""

    def __init__(self, keys: KeySet) -> None:
        self.keys = keys
        self.epoch = 1
        self._ended: set[UUID] = set()
        self._suspended: set[UUID] = set()
        self._changed: dict[tuple[UUID, UUID], Membership] = {}
        self._roles: dict[tuple[UUID, UUID], dict[str, str]] = {}
        self._teams: dict[UUID, dict[UUID, set[UUID]]] = {}

    def has_ended(self, session: UUID) -> bool:
        """The session was signed out or revoked."""
        return session in self._ended

    def is_suspended(self, org: UUID) -> bool:
        """The organization may do nothing."""
        return org in self._suspended

    def membership(self, org: UUID, user: UUID) -> Membership | None:
        """Role and state where they changed lately."""
        return self._changed.get((org, user))

    def grants(self, org: UUID, role: UUID) -> dict[str, str]:
        """What an organization's own role may, and for what; nothing where it is not known."""
        return self._roles.get((org, role), {})

    def colleagues(self, org: UUID, user: UUID) -> tuple[UUID, ...]:
        """Who else is in a team of theirs, in the order of ids; as many as a principal holds."""
        found: set[UUID] = set()
        for members in self._teams.get(org, {}).values():
            if user in members:
                found |= members
        return tuple(sorted(found - {user})[:MOST_COLLEAGUES])

    async def read_teams(self, db: Database, ids: Sequence[UUID] | None) -> None:
        """Read the teams of these organizations again, or of all."""
        found = await store.read_teams(db, ids)
        kept = {} if ids is None else {org: teams for org, teams in self._teams.items() if org not in ids}
        self._teams = kept | found
        self.epoch += 1

    async def read_roles(self, db: Database, ids: Sequence[UUID] | None) -> None:
        """Read these roles again, or all."""
        found = {
            (role.organization_id, role.role_id): role.grants for role in await store.read_roles(db, ids)
        }
        self._roles = found if ids is None else self._roles | found
        self.epoch += 1

    async def read(self, db: Database, topic: str) -> None:
        """Read one topic again."""
        match topic:
            case "keys":
                self.keys.replace(await store.read_keys(db))
            case "organizations":
                self._suspended = await store.read_suspended(db)
            case "sessions":
                self._ended = await store.read_ended(db, REMEMBERED)
            case "memberships":
                self._changed = await store.read_changed(db, REMEMBERED)
        self.epoch += 1


class StandingFeed:
    """Keeps a `Standing`, and what `readers` read, as the database has them, until closed."""

    def __init__(self, standing: Standing, db: Database, readers: Mapping[str, Reader]) -> None:
        """`readers`: by topic."""
        self._standing = standing
        self._db = db
        self._readers = readers
        self._stale: set[str] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Read everything once, then follow."""
        for topic in (*EVERYTHING, *self._readers):
            await self._read_now(topic)
        self._tasks = [
            asyncio.create_task(self._db.listen(CHANNEL, self._heard, self._lost)),
            asyncio.create_task(self._refresh()),
        ]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _heard(self, topic: str) -> None:
        self._stale.add(topic)
        self._wake.set()

    def _lost(self) -> None:
        """The connection was away: anything may have been said."""
        self._stale.update(EVERYTHING, self._readers)
        self._wake.set()

    async def _refresh(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), REFRESH_SECONDS)
            except TimeoutError:
                self._stale.update(EVERYTHING)
            self._wake.clear()
            while self._stale:
                await self._read(self._stale.pop())

    async def _read(self, topic: str) -> None:
        try:
            await self._read_now(topic)
        except Exception as error:
            log.warning("standing.unread", topic=topic, error=str(error))
            self._stale.add(topic)
            await asyncio.sleep(1)

    async def _read_now(self, topic: str) -> None:
        name, _, ids = topic.partition(":")
        reader = self._readers.get(name)
        if reader is None:
            await self._standing.read(self._db, topic)
        else:
            await reader(self._db, [UUID(id_) for id_ in ids.split(",")] if ids else None)
