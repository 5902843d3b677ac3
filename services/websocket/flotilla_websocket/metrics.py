"""Metrics of websocket."""

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge("flotilla_live_connections", "Open connections", ["transport"])
PUSHED = Counter("flotilla_live_pushed_total", "Events put into a client's queue")
SHED = Counter("flotilla_live_shed_total", "Events a client was too slow for; it was told to read again")
RESUMED = Counter("flotilla_live_resumed_total", "Resumes asked for", ["outcome"])
CLOSED = Counter("flotilla_live_closed_total", "Connections closed from here", ["code"])
FOUND = Counter(
    "flotilla_live_found_total", "Events that came by the feed, because Redis had not brought them"
)
UNTOLD = Counter("flotilla_live_untold_total", "Batches that could not be published to Redis")
TOO_OLD = Counter("flotilla_live_too_old_total", "Events older than the feed, not shown")
