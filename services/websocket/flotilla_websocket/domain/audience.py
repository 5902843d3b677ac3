"""Who may see an event.

An event's `audience` is a list of tokens separated by spaces, stamped by its owner: `org` for everybody whose role
reads the inbox, `user:<id>` for one person. Organization-wide roles see every event of theirs; an event without an
audience, or with one of a kind not known here, is for them alone.
"""

from dataclasses import dataclass
from uuid import UUID

from flotilla.security.principal import Principal

INBOX_PERMISSION = "conversations:read"


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a signed-in person may see."""

    org: UUID
    me: str
    sees_everything: bool
    sees_inbox: bool

    @classmethod
    def of(cls, who: Principal) -> "Viewer":
        """By their role."""
        return cls(who.org, who.actor, who.sees_everything, who.may(INBOX_PERMISSION))

    def may_see(self, org: UUID, audience: frozenset[str]) -> bool:
        """Whether an event of that organization and audience is for them."""
        if org != self.org:
            return False
        return self.sees_everything or (self.sees_inbox and "org" in audience) or self.me in audience


def tokens(audience: str | None) -> frozenset[str]:
    """The tokens of an envelope's `audience`."""
    return frozenset(audience.split()) if audience else frozenset()
