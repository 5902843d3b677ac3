"""What the gateway counts.

Requests are tallied in plain Python and turned into Prometheus's families when they are read: once in fifteen
seconds instead of once a request.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds in seconds."""

TUNNELS: Final = Gauge("flotilla_gateway_tunnels", "Open WebSocket tunnels")
BLOCKED: Final = Counter(
    "flotilla_gateway_blocked_requests_total", "Requests refused because their address is blocked"
)
BLOCKS: Final = Counter(
    "flotilla_gateway_blocks_total", "Addresses that this process had blocked", ["reason"]
)
CHALLENGES: Final = Counter(
    "flotilla_gateway_challenges_total",
    "Challenges of anonymous callers: asked, solved, or wrongly solved",
    ["outcome"],
)
CROSS_SITE: Final = Counter(
    "flotilla_gateway_cross_site_total",
    "Requests with cookies that no page of ours can be shown to have sent",
)


class _Tally:
    """Of requests that are counted as one kind."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0


class Requests(Collector):
    """Requests by service, rate-limit class and status, and how long they took by service; those without a decision."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, int], _Tally] = {}
        self.undecided = 0
        """Those for which Redis did not decide."""

    def add(self, upstream: str, limit: str, status: int, seconds: float) -> None:
        """One request has ended."""
        key = (upstream, limit, status)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally()
        tally.buckets[bisect_left(BUCKETS, seconds)] += 1
        tally.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """As Prometheus reads it."""
        counts = CounterMetricFamily(
            "flotilla_gateway_requests",
            "Requests by service, rate-limit class and status",
            labels=["upstream", "limit", "status"],
        )
        tallies = list(self._tallies.items())
        for (upstream, limit, status), tally in tallies:
            counts.add_metric([upstream, limit, str(status)], sum(tally.buckets))
        yield counts
        seconds = HistogramMetricFamily(
            "flotilla_gateway_request_seconds",
            "From the request's head to the end of the response",
            labels=["upstream"],
        )
        bounds = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
        for name in dict.fromkeys(upstream for (upstream, _, _), _ in tallies):
            of_it = [tally for (upstream, _, _), tally in tallies if upstream == name]
            buckets = [sum(counts_) for counts_ in zip(*(tally.buckets for tally in of_it), strict=True)]
            up_to = list(zip(bounds, accumulate(buckets), strict=True))
            seconds.add_metric([name], up_to, sum(tally.seconds for tally in of_it))
        yield seconds
        yield CounterMetricFamily(
            "flotilla_gateway_limits_undecided", "Requests for which Redis did not decide", self.undecided
        )


REQUESTS: Final = Requests()
REGISTRY.register(REQUESTS)
