"""What all callers' connections of a process share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from flotilla_gateway.edge.limits import EdgeLimits
from flotilla_gateway.edge.refusals import Refusals
from flotilla_gateway.edge.turn import OwnLines
from flotilla_gateway.outgoing import Outgoing

if TYPE_CHECKING:
    from flotilla_gateway.edge.protocol import EdgeProtocol
    from flotilla_gateway.edge.tunnel import Tunnels
    from flotilla_gateway.express import Express


@dataclass(frozen=True, slots=True)
class Shared:
    """Made once."""

    limits: EdgeLimits
    tunnels: "Tunnels"
    everyone: "set[EdgeProtocol]"
    """All that are open."""
    refusals: Refusals
    express: "Express | None"
    """None: all requests go the long way."""
    own_lines: OwnLines = field(default_factory=OwnLines)
    outgoing: Outgoing = field(default_factory=Outgoing)
    of_one: Counter[str] = field(default_factory=Counter)
    """How many each address has open, of those that are counted."""

    def come(self, connection: "EdgeProtocol") -> bool:
        """One more is open; False where it is one too many, of all or of its address.

        Addresses that are never blocked are not counted: behind a load balancer is everybody.
        """
        self.everyone.add(connection)
        caller = self.refusals.callers.of(connection.peer, connection.scheme or "http", ())
        if caller.block is not None:
            connection.counted_as = caller.bucket
            self.of_one[caller.bucket] += 1
            if self.of_one[caller.bucket] > self.limits.connections_of_one:
                return False
        return len(self.everyone) <= self.limits.connections

    def leave(self, connection: "EdgeProtocol") -> None:
        """It is closed; also said twice."""
        self.hand_over(connection)()

    def hand_over(self, connection: "EdgeProtocol") -> Callable[[], None]:
        """It is no caller's of HTTP any more, and counts for its address until what this gives is called."""
        self.everyone.discard(connection)
        bucket, connection.counted_as = connection.counted_as, None
        return partial(self._uncount, bucket)

    def _uncount(self, bucket: str | None) -> None:
        if bucket is not None:
            self.of_one[bucket] -= 1
            if not self.of_one[bucket]:
                del self.of_one[bucket]
