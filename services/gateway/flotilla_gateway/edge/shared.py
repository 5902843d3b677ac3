"""What all callers' connections of a process share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flotilla_gateway.edge.limits import EdgeLimits
from flotilla_gateway.edge.refusals import Refusals
from flotilla_gateway.edge.turn import OwnLines

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
