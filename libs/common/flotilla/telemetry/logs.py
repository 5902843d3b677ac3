"""Logs: JSON lines with `ts level event service org correlation_id trace_id`; never personal data."""

import logging
import sys
from typing import Any

import structlog

from flotilla.cause import current_cause


def configure(service: str, level: str) -> None:
    """Log to standard output as JSON lines, from the standard library's loggers too."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        _context(service),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.dict_tracebacks,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aio_pika", "aiormq", "pymongo", "elastic_transport", "httpx"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _context(service: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["service"] = service
        cause = current_cause.get()
        if cause is not None:
            event.setdefault("correlation_id", str(cause.correlation_id))
            if cause.traceparent:
                event.setdefault("trace_id", cause.traceparent.split("-")[1])
        return event

    return add
