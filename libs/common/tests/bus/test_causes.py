"""Why something happened: carried from the request to the last effect, in events, in one trace, and in logs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.crm import NoteCreated, TaskCompleted, TaskCreated
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus import workshop as told
from libs.common.tests.bus.children import child
from libs.common.tests.bus.samples import task
from libs.common.tests.bus.workshop import CHAIN, FAILS

TRACE, HEAD = "c0ffee" + "0" * 25 + "1", "feed" + "0" * 11 + "1"
JANE = "jane@example.org"


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    async with isolated(told.service, worker) as instance:
        yield instance


async def chain(harness: Harness, org: UUID) -> tuple[Received[Any], Received[Any], Received[Any]]:
    """What the request said, what its handler said, and what the job of that said."""
    last = await harness.spy.expect(TaskCompleted, lambda event: event.org == org, seconds=30)
    (first,), (second,) = harness.spy.of(TaskCreated, org), harness.spy.of(NoteCreated, org)
    return first, second, last


def span_of(event: Received[Any]) -> str:
    return (event.envelope.traceparent or "").split("-")[2]


def carried_on(events: tuple[Received[Any], ...]) -> None:
    first, second, last = (event.envelope for event in events)
    assert first.correlationid == second.correlationid == last.correlationid
    assert (second.causationid, last.causationid) == (first.id, second.id)
    assert first.actor == second.actor == last.actor
    assert first.requestid == second.requestid == last.requestid


async def test_one_trace_runs_from_the_request_to_the_last_effect_and_logs_quote_nobody(
    stores: Instance, start_service: StartService, org: UUID, tmp_path: Path
) -> None:
    """Both in one, because both need a process of their own: its tracer, its standard output."""
    traces, log = tmp_path / "traces.jsonl", tmp_path / "log.jsonl"
    async with (
        start_service(told.service, instance=stores, lanes_paused=True) as beside,
        child(stores.with_isolation(traces_file=traces), told.__name__, log=log) as process,
    ):
        await process.ready(beside)
        person = process.as_seen_by(beside.client(org))
        header = {"traceparent": f"00-{TRACE}-{HEAD}-01"}
        assert (await person.post("/v1/notes", headers=header)).status == 201
        events = await chain(beside, org)
        await fail_everywhere(beside, person, org)
        process.terminate()
        assert await process.died() == 0
    carried_on(events)
    assert [event.envelope.actor for event in events] == [f"user:{person.user_id}"] * 3
    assert [event.envelope.audience for event in events] == [f"user:{person.user_id}", "org", None]
    check_spans([json.loads(line) for line in traces.read_text().splitlines()], events)
    check_log([json.loads(line) for line in log.read_text().splitlines()], events)


def check_spans(spans: list[dict[str, Any]], events: tuple[Received[Any], ...]) -> None:
    assert {span["trace_id"] for span in spans} == {TRACE}
    by_name = {span["name"]: span for span in spans}
    parents = {name: span["parent_id"] for name, span in by_name.items()}
    ids = {name: span["span_id"] for name, span in by_name.items()}
    assert parents == {
        "POST /v1/notes": HEAD,
        "crm obey": ids["POST /v1/notes"],
        "crm remark": ids["POST /v1/notes"],
        "crm send_out": ids["crm obey"],
        "crm errand": ids["crm send_out"],
    }
    assert [span_of(event) for event in events] == [
        ids[name] for name in ("POST /v1/notes", "crm obey", "crm errand")
    ]


async def fail_everywhere(harness: Harness, person: Client, org: UUID) -> None:
    """In a route and in a handler, each time with somebody's address in its hands."""
    assert (await person.post("/v1/notes/failing", {"to": JANE})).status == 500
    await harness.publish(task(f"{FAILS} for {JANE}"), org=org)

    async def parked() -> Any:
        return await harness.app.db.fetchrow(
            "SELECT * FROM parked_events WHERE organization_id = $1 AND attempts > 1", org
        )

    row = await eventually(parked)
    assert JANE not in row["error"] + row["stack"]
    assert JANE.encode() in row["body"], "a person may inspect it, and nobody else is shown it"


def check_log(lines: list[dict[str, Any]], events: tuple[Received[Any], ...]) -> None:
    assert all({"ts", "level", "event", "service"} <= set(line) for line in lines)
    found = {line["event"] for line in lines}
    assert {"service.started", "request.failed", "event.parked", "service.stopped"} <= found
    assert JANE not in json.dumps(lines)
    assert FAILS not in json.dumps(lines)
    (failed,) = (line for line in lines if line["event"] == "request.failed")
    (told_of,) = failed["exception"]
    assert (told_of["exc_type"], told_of["exc_value"]) == ("RuntimeError", "")
    assert told_of["frames"][-1]["name"] == "fail"
    assert failed["correlation_id"] != str(events[0].envelope.correlationid), (
        "another request, another journey"
    )


async def test_a_wish_is_named_by_all_that_comes_of_it(workshop: Harness, org: UUID) -> None:
    wish = Cause(new_id(), new_id(), new_id(), "rule:7", "00-" + "a" * 32 + "-" + "b" * 16 + "-00")
    await workshop.publish(task(CHAIN), org=org, cause=wish)
    events = await chain(workshop, org)
    carried_on(events)
    last = events[-1].envelope
    assert (last.requestid, last.actor) == (wish.request_id, "rule:7")
    assert last.traceparent == wish.traceparent, "what nobody records is passed on as it is"


async def test_a_handler_of_batches_must_name_the_event_that_caused_what_it_says(
    still: Harness, org: UUID
) -> None:
    async with still.app.db.transaction(org) as tx:
        with pytest.raises(ValueError, match="name the event"):
            tx.emit(task(), org=org, sequence=1)
