"""Logs: JSON lines with `ts level event service org correlation_id trace_id`; never personal data."""

import logging
import sys
import traceback
from typing import Any, Final

import structlog

from flotilla.cause import current_cause

MAX_CAUSES: Final = 8


def configure(service: str, level: str) -> None:
    """Log to standard output as JSON lines, from the standard library's loggers too."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        _context(service),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.ExceptionRenderer(_told),
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


def _told(exc_info: Any) -> list[dict[str, Any]]:
    """An error and what it came of: types and places. No local values, and words only where they are ours:
    a database's quote the row, a parser's the text."""
    told: list[dict[str, Any]] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(told) < MAX_CAUSES:
        frames = traceback.extract_tb(error.__traceback__)
        told.append(
            {
                "exc_type": type(error).__name__,
                "exc_value": own_words(error),
                "frames": [{"filename": f.filename, "lineno": f.lineno, "name": f.name} for f in frames],
            }
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told


def own_words(error: BaseException) -> str:
    """What an error of ours says; nothing of others'."""
    return str(error) if type(error).__module__.startswith("flotilla") else ""


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
