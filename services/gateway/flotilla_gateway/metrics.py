"""What the gateway counts."""

from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter(
    "flotilla_gateway_requests_total",
    "Requests by service, rate-limit class and status",
    ["upstream", "limit", "status"],
)
SECONDS: Final = Histogram(
    "flotilla_gateway_request_seconds",
    "From the request's head to the end of the response",
    ["upstream"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
TUNNELS: Final = Gauge("flotilla_gateway_tunnels", "Open WebSocket tunnels")
UNDECIDED: Final = Counter(
    "flotilla_gateway_limits_undecided_total", "Requests for which Redis did not decide"
)


def count(upstream: str, limit: str, status: int, seconds: float) -> None:
    """One request has ended."""
    counter, histogram = _children(upstream, limit, status)
    counter.inc()
    histogram.observe(seconds)


@lru_cache(maxsize=4096)
def _children(upstream: str, limit: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(upstream, limit, str(status)), SECONDS.labels(upstream)
