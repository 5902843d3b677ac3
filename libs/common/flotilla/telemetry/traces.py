"""Traces (W3C Trace Context, OpenTelemetry): from the first request through every event to the last effect.

Sampling is decided once, at the head; where a `traceparent` is not sampled nothing is made or exported, and
the same bytes are passed on. Spans are exported as JSON lines to a file, where settings name one.
"""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from flotilla.bus.declare import Job, RawEvent
from flotilla.bus.envelope import Received
from flotilla.events.base import Event

E = TypeVar("E", bound=Event)

_ROOT: Final = "root-01"
"""Sampled, and without a parent: `span` begins a trace with it, and passes on a proper traceparent."""
_ODD: Final = frozenset("13579bdf")
_propagator: Final = TraceContextTextMapPropagator()
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_providers: Final[list[TracerProvider]] = []


class FileExporter(SpanExporter):
    """Appends each span as one JSON line; several processes may share the file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans."""
        lines = "".join(f"{json.dumps(_line(span))}\n" for span in spans)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(lines)
        return SpanExportResult.SUCCESS


def configure(service: str, traces_file: str) -> None:
    """Start a tracer for this process; without a file there is none, and nothing is recorded.

    Not the global one: libraries that trace themselves would fill it with spans of their own.
    """
    if not traces_file:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(FileExporter(traces_file), schedule_delay_millis=500))
    _providers.append(provider)


def flush() -> None:
    """Write what is still in memory; called when the process stops."""
    for provider in _providers:
        provider.shutdown()
    _providers.clear()


def new_traceparent(ratio: float) -> str:
    """The head of a new trace, sampled with the probability `ratio`; give it to `span`."""
    chosen = random.random() < ratio
    if chosen and _providers:
        return _ROOT
    flags = "01" if chosen else "00"
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-{flags}"


def sampled(traceparent: str | None) -> bool:
    """Whether the head decided to record this trace."""
    if not _providers or traceparent is None:
        return False
    return traceparent[-1:] in _ODD  # the lowest bit of trace-flags (section 3.2.2.5.1)


def request_traceparent() -> str | None:
    """The traceparent of the request in hand: what its events carry."""
    return _current.get()


@contextmanager
def span(name: str, traceparent: str | None, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[str | None]:
    """A child of `traceparent`, yielding its own; unsampled, the same bytes and no cost."""
    if not sampled(traceparent):
        token = _current.set(traceparent)
        try:
            yield traceparent
        finally:
            _current.reset(token)
        return
    context = _propagator.extract({"traceparent": traceparent or ""})
    tracer = _providers[-1].get_tracer("flotilla")
    with tracer.start_as_current_span(name, context=context, kind=kind, record_exception=False):
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        token = _current.set(carrier["traceparent"])
        try:
            yield carrier["traceparent"]
        finally:
            _current.reset(token)


@contextmanager
def event_spans(name: str, events: Sequence[Received[E]]) -> Iterator[Sequence[Received[E]]]:
    """A span for each sampled event of a batch; the events come back carrying theirs to what they cause."""
    if not any(sampled(event.envelope.traceparent) for event in events):
        yield events
        return
    with ExitStack() as stack:
        traced = []
        for event in events:
            own = stack.enter_context(span(name, event.envelope.traceparent, SpanKind.CONSUMER))
            traced.append(replace(event, cause=replace(event.cause, traceparent=own)))
        yield traced


@contextmanager
def passed_spans(name: str, events: Sequence[RawEvent]) -> Iterator[None]:
    """A span for each sampled event of a batch that is kept or passed on as it is, and causes nothing."""
    with ExitStack() as stack:
        for event in events:
            if sampled(event.envelope.traceparent):
                stack.enter_context(span(name, event.envelope.traceparent, SpanKind.CONSUMER))
        yield


@contextmanager
def caused_span(name: str, job: Job) -> Iterator[Job]:
    """A span around a job or timer; it comes back carrying its own to what it causes."""
    with span(name, job.cause.traceparent) as own:
        yield replace(job, cause=replace(job.cause, traceparent=own))


@contextmanager
def caused_spans(name: str, jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """A span around each of these, which are done together; they come back as from `caused_span`."""
    with ExitStack() as stack:
        yield [stack.enter_context(caused_span(name, job)) for job in jobs]


def _line(span_: ReadableSpan) -> dict[str, Any]:
    context = span_.get_span_context()
    assert context is not None
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_id": f"{span_.parent.span_id:016x}" if span_.parent else None,
        "name": span_.name,
        "kind": span_.kind.name.lower(),
        "service": span_.resource.attributes.get("service.name"),
        "start": span_.start_time,
        "end": span_.end_time,
        "status": span_.status.status_code.name.lower(),
    }
