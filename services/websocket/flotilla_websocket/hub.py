"""All connections of this process, and who of them gets what."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from flotilla.events.auth import (
    ApiKeyRevoked,
    OrganizationSuspended,
    OrganizationUpdated,
    SessionEnded,
    UserDeactivated,
)
from flotilla.events.base import contract_of
from flotilla.events.security import OAuthClientRevoked

from flotilla_websocket.domain.entry import Entry, said
from flotilla_websocket.frames import EventFrame
from flotilla_websocket.metrics import PUSHED
from flotilla_websocket.peer import Peer
from flotilla_websocket.protocol import RIGHTS_CHANGED, SESSION_ENDED
from flotilla_websocket.shown import HEEDED

log = structlog.get_logger()

REMEMBERED_SECONDS: Final = 150.0
"""How long ids that were pushed are known again: longer than the feed's sweep looks back. And how long a session is
known to have ended: longer than a principal lives that was signed before."""
BATCHES_WAITING: Final = 500
AT_ONCE: Final = 500
"""Connections served before others get a turn."""
RIGHTS: Final = frozenset(contract_of(event).type for event in HEEDED)
"""Events about sessions, people and organizations: they end connections and are shown to nobody."""
ENDED: Final = {
    contract_of(SessionEnded).type: "session_id",
    contract_of(ApiKeyRevoked).type: "api_key_id",
    contract_of(OAuthClientRevoked).type: "client_id",
    contract_of(UserDeactivated).type: "user_id",
}
"""What is over with an event, and the field that names it."""
FOR_GOOD: Final = (1 << 63) - 1
"""The sequence of what no event comes after."""
OPEN: Final = ""
"""The role of an organization that may be worked in."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What was said last of a session, a person or an organization."""

    heard: float
    sequence: int
    role: str | None
    """The role they have now; None: they are out."""


class Hub:
    """The connections by organization; delivers in the order in which it is told."""

    def __init__(self) -> None:
        self._peers: dict[UUID, set[Peer]] = defaultdict(set)
        self._batches: asyncio.Queue[Sequence[Entry]] = asyncio.Queue(BATCHES_WAITING)
        # Ordered ones: to find what is oldest in a plain dict goes past all that was forgotten before it.
        self._pushed: OrderedDict[UUID, float] = OrderedDict()
        self._rights: OrderedDict[UUID, Rights] = OrderedDict()
        """Of sessions, people and organizations of whom something was said lately."""

    @property
    def orgs(self) -> list[UUID]:
        """The organizations with a connection here."""
        return list(self._peers)

    def peers(self) -> list[Peer]:
        """Every connection."""
        return [peer for peers in self._peers.values() for peer in peers]

    def join(self, peer: Peer) -> None:
        """From now on it gets what it may see."""
        self._peers[peer.org].add(peer)
        self._judge(peer)

    def leave(self, peer: Peer) -> None:
        """It gets nothing any more."""
        peers = self._peers[peer.org]
        peers.discard(peer)
        if not peers:
            del self._peers[peer.org]

    def unseen(self, ids: Iterable[UUID]) -> list[UUID]:
        """Which of these were not pushed here."""
        return [id_ for id_ in ids if id_ not in self._pushed]

    def deliver(self, entries: Sequence[Entry]) -> None:
        """Push these soon; never waits. What is pushed a second time is dropped."""
        try:
            self._batches.put_nowait(entries)
        except asyncio.QueueFull:
            # The process cannot keep up: its clients read again instead of being told ever later.
            for org in {entry.org for entry in entries}:
                for peer in self._peers.get(org, ()):
                    peer.resync()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._push(await self._batches.get())
            self._forget()

    async def _push(self, entries: Sequence[Entry]) -> None:
        by_org: dict[UUID, list[EventFrame]] = defaultdict(list)
        for entry in entries:
            if entry.type in RIGHTS:
                self._hear(entry)
            elif entry.org in self._peers and entry.id not in self._pushed:
                by_org[entry.org].append(EventFrame(entry))
            if entry.org in self._peers:
                self._pushed[entry.id] = time.monotonic()
        pushed = 0
        for org, frames in by_org.items():
            for served, peer in enumerate(list(self._peers.get(org, ())), 1):
                pushed += peer.offer(frames)
                if served % AT_ONCE == 0:
                    await asyncio.sleep(0)
        PUSHED.inc(pushed)

    def _hear(self, entry: Entry) -> None:
        """End those of a session, of a person who left or has another role now, of an organization that is closed."""
        heard = said(entry)
        if entry.type in ENDED:
            whose, role = getattr(heard.data, ENDED[entry.type]), None
        elif entry.type == contract_of(OrganizationSuspended).type:
            whose, role = entry.org, None
        elif entry.type == contract_of(OrganizationUpdated).type:
            whose, role = entry.org, OPEN if heard.data.state != "suspended" else None
        else:
            whose, role = heard.data.user_id, heard.data.role
        if whose is None or (whose in self._rights and self._rights[whose].sequence >= heard.sequence):
            return
        self._rights.pop(whose, None)  # last said, last forgotten
        self._rights[whose] = Rights(time.monotonic(), heard.sequence, role)
        for peer in list(self._peers.get(entry.org, ())):
            if whose in (peer.session_id, peer.user_id, peer.org):
                self._judge(peer)

    @property
    def sessions(self) -> list[UUID]:
        """The sessions, keys and clients with a connection here."""
        return list({peer.session_id for peers in self._peers.values() for peer in peers})

    def revoke(self, ids: frozenset[UUID]) -> None:
        """End the connections of sessions, keys and clients that are no more, and those that they open hereafter.

        Said past the lane, so at once: no batch that waits to be pushed is waited for.
        """
        for id_ in ids:
            self._rights.pop(id_, None)
            self._rights[id_] = Rights(time.monotonic(), FOR_GOOD, None)
        for peer in self.peers():
            if peer.session_id in ids:
                self._judge(peer)

    def _judge(self, peer: Peer) -> None:
        for whose in (peer.session_id, peer.user_id, peer.org):
            if whose in self._rights:
                role = self._rights[whose].role
                if role is None:
                    peer.close(SESSION_ENDED, "the session has ended")
                elif whose == peer.user_id and role != peer.role:
                    peer.close(RIGHTS_CHANGED, "your rights have changed")

    def _forget(self) -> None:
        before = time.monotonic() - REMEMBERED_SECONDS
        while self._pushed and next(iter(self._pushed.values())) < before:
            self._pushed.popitem(last=False)
        while self._rights and next(iter(self._rights.values())).heard < before:
            self._rights.popitem(last=False)
