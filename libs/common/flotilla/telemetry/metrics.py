"""Prometheus metrics of the bus and the edge; a service defines its business metrics beside its code."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("flotilla_events_published_total", "Events the broker confirmed")
UNPUBLISHED = Counter("flotilla_events_unpublished_total", "Publishes returned, refused or not confirmed")
HANDLED = Counter("flotilla_events_handled_total", "Events handled", ["lane", "handler"])
DUPLICATES = Counter("flotilla_events_duplicate_total", "Events a reaction had had before", ["handler"])
FAILED = Counter("flotilla_events_failed_total", "Attempts at an event that failed", ["handler"])
FOREIGN = Counter("flotilla_events_foreign_total", "Events of other regions, refused", ["lane"])
BATCH_SIZE = Histogram(
    "flotilla_batch_events", "Events in a batch", ["lane"], buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
BATCH_SECONDS = Histogram("flotilla_batch_seconds", "From delivery to commit", ["lane"])
JOBS = Counter("flotilla_jobs_total", "Jobs ended", ["kind", "outcome"])
OUTBOX_ROWS = Gauge("flotilla_outbox_rows", "Events written and not yet confirmed by the broker")
PARKED = Gauge("flotilla_parked_events", "Events parked, by state", ["state"])
REQUESTS = Histogram("flotilla_request_seconds", "HTTP requests", ["route", "method", "status"])
UNTOLD = Counter(
    "flotilla_deeds_untold_total",
    "Requests whose deed was told only after what they did was committed",
    ["route"],
)
POOL_CONNECTIONS = Gauge("flotilla_postgres_connections", "Connections of the pool", ["state"])
STATEMENTS = Counter("flotilla_statements_total", "Statements sent to Postgres, BEGIN and COMMIT too")
SLOW_STATEMENTS = Counter(
    "flotilla_slow_statements_total", "Statements that took half a second or longer, from here and back"
)
TRANSACTIONS = Counter("flotilla_transactions_total", "Transactions begun")
RETENTION_SWEPT = Counter("flotilla_retention_swept_total", "Things removed because of their age", ["kind"])
