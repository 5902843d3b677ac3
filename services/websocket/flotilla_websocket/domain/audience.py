"""Who may see an event.

An event's `audience` is a list of tokens separated by spaces, stamped by its owner: `org` for everybody whose role
reads the inbox, `user:<id>` for one person. Organization-wide roles see every event of theirs; an event without an
audience, or with one of a kind not known here, is for them alone.

Who may see some people's records only sees of `org` what tells of a record of their own. Their teams' they read, and
are not told of: who is in a team may change while a connection is open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from flotilla.security.permissions import ALL, OWNED
from flotilla.security.principal import Principal

from flotilla_websocket.domain.records import Record

INBOX_PERMISSION = "conversations:read"


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a signed-in person may see."""

    org: UUID
    me: str
    sees_everything: bool
    sees_inbox: bool
    narrow: frozenset[str] = frozenset()
    """Records of which they do not see everybody's."""

    @classmethod
    def of(cls, who: Principal) -> "Viewer":
        """By their role."""
        narrow = (
            frozenset(each for each in OWNED if who.scope(f"{each}:read") != ALL)
            if who.grants
            else frozenset()
        )
        return cls(who.org, who.actor, who.sees_everything, who.may(INBOX_PERMISSION), narrow)

    def may_see(self, org: UUID, audience: frozenset[str], record: Callable[[], Record]) -> bool:
        """Whether an event of that organization and audience is for them; `record`: what it tells of."""
        if org != self.org:
            return False
        if self.sees_everything or self.me in audience:
            return True
        return self.sees_inbox and "org" in audience and (not self.narrow or self._reaches(record()))

    def _reaches(self, record: Record) -> bool:
        if record.resource is None or record.resource in set(OWNED) - self.narrow:
            return True
        return (
            record.resource in self.narrow and record.owner is not None and self.me == f"user:{record.owner}"
        )


def tokens(audience: str | None) -> frozenset[str]:
    """The tokens of an envelope's `audience`."""
    return frozenset(audience.split()) if audience else frozenset()
