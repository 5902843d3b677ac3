"""The reach of a request: whose records it may read and write, where that is not everybody's.

A transaction carries it as settings beside its organization, and the policies and triggers of tables with owners go
by them (`scope_rows`, bus/migrations/0007_reach.sql): no statement has to remember. Handlers of events, jobs and
timers have none: they work for all.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.problems import ForbiddenError
from flotilla.security.permissions import ALL, OWN, OWNED, SCOPED
from flotilla.security.principal import Principal

CLIENT: Final = "client"
"""The role of people outside."""
NOBODY: Final = "nobody"
"""Stands for the owner of what has none."""
WORDS: Final = {OWN: "of your own", "team": "of your own, of your teams' people, and of nobody yet"}


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose records one request may see, and change."""

    sees: Mapping[str, str]
    """Resource to the ids of the owners whose it may see; a resource that is not named, it may see all of."""
    writes: Mapping[str, str]
    permission: str
    scope: str
    client: UUID | None = None
    """Who asks, where they are a client: what the database shows of the tables that are opened to clients is of the
    contacts that they are (`scope_clients`, bus/migrations/0013_clients.sql)."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Of the transaction, by name: ids and the word for nobody, with commas between."""
        sees = {f"flotilla.sees_{resource}": owners for resource, owners in self.sees.items()}
        own = {"flotilla.client": str(self.client)} if self.client else {}
        return (
            sees | own | {f"flotilla.writes_{resource}": owners for resource, owners in self.writes.items()}
        )

    def problem(self) -> ForbiddenError:
        """Why somebody's record is not changed, or not given away."""
        return ForbiddenError(
            f"You have the permission `{self.permission}` for records {WORDS.get(self.scope, 'that you see')} only."
        )


current_reach: ContextVar[Reach | None] = ContextVar("current_reach", default=None)
"""Set around a request: every transaction that it opens has it. None: everybody's."""


def reach_of(who: Principal, permission: str) -> Reach | None:
    """The reach of a request that takes this permission; None where it is everybody's."""
    scope = who.scope(permission) or ALL
    writes = SCOPED.get(permission) if scope != ALL and not permission.endswith(":read") else None
    sees = {
        resource: _owners(who, narrow)
        for resource in (OWNED if who.grants is not None else ())
        if (narrow := who.scope(f"{resource}:read")) is not None and narrow != ALL
    }
    client = who.user_id if who.role == CLIENT and who.grants is None else None
    if not sees and writes is None and client is None:
        return None
    return Reach(sees, {writes: _owners(who, scope)} if writes else {}, permission, scope, client)


def only_owner(resource: str) -> UUID | None:
    """Whose records alone this request sees: its own; None where it sees those of several, or of everybody."""
    reach = current_reach.get()
    owners = reach.sees.get(resource, "") if reach else ""
    return UUID(owners) if owners and "," not in owners else None


def owner_of_new(who: Principal, permission: str, named: UUID | None) -> UUID | None:
    """Whose a new record is: who is named; where nobody is, its maker's, if they may write some people's only."""
    return named if named is not None or who.scope(permission) == ALL else who.user_id


def possible_owners(who: Principal, permission: str) -> tuple[UUID, ...]:
    """Who may own what somebody makes, of whom one is chosen; none named: anybody."""
    scope = who.scope(permission)
    if scope == ALL:
        return ()
    return (who.user_id,) if scope == OWN else (who.user_id, *who.colleagues)


def check_mine(who: Principal, permission: str, owner: UUID | None) -> None:
    """A 403 problem where somebody may not do this with a record of this owner's that they see."""
    reach = reach_of(who, permission)
    owners = reach.writes.get(SCOPED[permission]) if reach else None
    if reach and owners is not None and str(owner or NOBODY) not in owners.split(","):
        raise reach.problem()


def _owners(who: Principal, scope: str) -> str:
    if scope == OWN:
        return str(who.user_id)
    return ",".join(_distinct([str(who.user_id), *map(str, who.colleagues), NOBODY]))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
