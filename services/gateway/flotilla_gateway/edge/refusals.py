"""What is refused before the door sees it: not HTTP, too large, too late. Answered, logged and held against the caller
as what the door refuses is."""

from dataclasses import dataclass
from typing import Final

from flotilla.ids import new_id
from flotilla.problems import Problem

from flotilla_gateway import metrics
from flotilla_gateway.abuse.watch import Watch
from flotilla_gateway.access_log import AccessLine, AccessLog, timestamp
from flotilla_gateway.edge.clients import Callers
from flotilla_gateway.edge.wire import raw_response

UNREAD: Final = "-"
OWN: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Refusals:
    """Of one process. What a proxy said of the caller was not read, so behind one, nobody is blamed."""

    callers: Callers
    access_log: AccessLog
    watch: Watch
    https: bool
    """Whether this place is reached over TLS alone: what a proxy says of that was not read either."""

    def answer(self, problem: Problem, peer: str, scheme: str, *, known: bool) -> bytes:
        """The bytes to send; `known`: the request is at the door, which logs it."""
        request_id = new_id().hex
        caller = self.callers.of(peer, scheme, ())
        self.watch.saw(caller, problem.status, None)
        if not known:
            metrics.REQUESTS.add(OWN, "none", problem.status, 0.0)
            self.access_log.add(
                AccessLine(
                    ts=timestamp(),
                    request_id=request_id,
                    method=UNREAD,
                    route=UNREAD,
                    status=problem.status,
                    ms=0.0,
                    sent=0,
                    network=caller.network,
                    caller=caller.pseudonym,
                    upstream=OWN,
                )
            )
        return raw_response(problem, request_id, https=self.https or caller.scheme == "https")
