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
UNDECIDED: Final = Counter(
    "flotilla_gateway_limits_undecided_total", "Requests for which Redis did not decide"
)

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


class _Times:
    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.total = 0.0


class Requests(Collector):
    """Requests by service, rate-limit class and status, and how long they took by service."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, _Times] = {}

    def add(self, upstream: str, limit: str, status: int, seconds: float) -> None:
        """One request has ended."""
        key = (upstream, limit, status)
        self._counts[key] = self._counts.get(key, 0) + 1
        times = self._times.get(upstream)
        if times is None:
            times = self._times[upstream] = _Times()
        times.buckets[bisect_left(BUCKETS, seconds)] += 1
        times.total += seconds

    def collect(self) -> Iterator[Metric]:
        """As Prometheus reads it."""
        counts = CounterMetricFamily(
            "flotilla_gateway_requests",
            "Requests by service, rate-limit class and status",
            labels=["upstream", "limit", "status"],
        )
        for (upstream, limit, status), count in list(self._counts.items()):
            counts.add_metric([upstream, limit, str(status)], count)
        yield counts
        seconds = HistogramMetricFamily(
            "flotilla_gateway_request_seconds",
            "From the request's head to the end of the response",
            labels=["upstream"],
        )
        bounds = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
        for upstream, times in list(self._times.items()):
            up_to = list(zip(bounds, accumulate(times.buckets), strict=True))
            seconds.add_metric([upstream], up_to, times.total)
        yield seconds


REQUESTS: Final = Requests()
REGISTRY.register(REQUESTS)
