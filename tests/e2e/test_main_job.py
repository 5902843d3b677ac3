"""A customer's message goes all the way to a person, live, and the answer all the way back."""

import asyncio
import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

from flotilla.fleet import Fleet
from flotilla.testing import eventually
from flotilla.testing.people import Person

from tests.e2e.conftest import NewOffice

QUESTION = "Hello, how long does delivery to Germany take?"
JOURNEY = {
    "channel.message.received.v1",
    "conversation.opened.v1",
    "message.received.v1",
    "contact.created.v1",
    "contact.identified.v1",
    "message.analyzed.v1",
    "ai.draft.generated.v1",
    "ai.draft.approved.v1",
    "message.send.requested.v1",
    "channel.message.sent.v1",
    "message.sent.v1",
    "ai.draft.sent.v1",
}
BEFORE_THE_DECISION = JOURNEY - {
    "ai.draft.approved.v1",
    "message.send.requested.v1",
    "channel.message.sent.v1",
    "message.sent.v1",
    "ai.draft.sent.v1",
}
DELIVERIES = 16
WHILE_WANTED = {"automation.events", "campaign.messages"}
"""Bound only while somebody's rule or sequence waits for the type, which costs a delivery more; another test's may."""


async def test_a_message_is_seen_drafted_approved_and_answered(
    new_office: NewOffice, fleet: Fleet, traces: Path
) -> None:
    office = await new_office("Harbour")
    owner = office.owner
    async with owner.live() as live:
        await office.customer_writes(QUESTION, chat=4711)
        received = await live.expect("message.received.v1", lambda data: data["text"] == QUESTION)
        conversation = received["data"]["conversation_id"]
        created = await live.expect("contact.created.v1")
        analysed = await live.expect("message.analyzed.v1")
        drafted = await live.expect("ai.draft.generated.v1")
        assert analysed["data"]["language"] == "en"
        assert created["data"]["name"] == "Iryna"
        draft = drafted["data"]
        assert draft["conversation_id"] == conversation
        assert "three to five working days" in draft["text"]
        assert [citation["title"] for citation in draft["citations"]] == ["Delivery"]

        await owner.ok("POST", f"/v1/drafts/{draft['draft_id']}/approve", {})
        await live.expect("ai.draft.approved.v1")
        sent = await live.expect("message.sent.v1", lambda data: data["draft_id"] == draft["draft_id"])
    [taken] = [each for each in office.telegram.sent if each.token == office.token]
    assert (taken.chat, taken.text) == (4711, draft["text"])
    assert sent["data"]["author"] == f"user:{owner.user['id']}"

    thread = await owner.ok("GET", f"/v1/conversations/{conversation}/messages")
    assert sorted(message["position"] for message in thread["items"]) == [1, 2]
    assert {message["text"] for message in thread["items"]} == {QUESTION, draft["text"]}

    steps = await eventually(lambda: _journey(owner, received["correlation_id"]), what="the whole journey")
    await _within_budget(fleet, steps)
    await eventually(lambda: _one_trace(traces, received["correlation_id"], fleet), what="one trace")


async def _journey(owner: Person, correlation_id: str) -> list[dict[str, Any]]:
    answer = await owner.call("GET", f"/v1/journeys/{correlation_id}")
    steps: list[dict[str, Any]] = answer.json().get("steps", [])
    seen = Counter(step["type"] for step in steps)
    assert seen == Counter(JOURNEY), seen
    assert steps[0]["type"] == "channel.message.received.v1"
    return steps


async def _within_budget(fleet: Fleet, steps: list[dict[str, Any]]) -> None:
    """Copies that the broker makes from the customer's message to its draft, by the queues really bound."""
    bound = await asyncio.to_thread(_bindings, fleet)
    everything = bound.pop("#")
    assert not everything & WHILE_WANTED
    before = [step["type"] for step in steps if step["type"] in BEFORE_THE_DECISION]
    deliveries = {type_: len((everything | bound.get(type_, set())) - WHILE_WANTED) for type_ in before}
    assert sum(deliveries.values()) <= DELIVERIES, deliveries


def _bindings(fleet: Fleet) -> dict[str, set[str]]:
    import urllib.request

    instance = fleet.instance
    path = f"exchanges/{instance.vhost}/flotilla.events/bindings/source"
    secret = base64.b64encode(f"flotilla:{instance.secrets.rabbitmq}".encode()).decode()
    request = urllib.request.Request(
        f"{instance.rabbitmq_management_url}/api/{path}", headers={"Authorization": f"Basic {secret}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, set[str]] = {"#": set()}
        for binding in json.load(answer):
            found.setdefault(binding["routing_key"], set()).add(binding["destination"])
    return found


async def _one_trace(traces: Path, correlation_id: str, fleet: Fleet) -> bool:
    """From the webhook at the gateway to the reply's last effect: one trace, no span without its parent."""
    spans = [json.loads(line) for line in traces.read_text().splitlines()]
    sends = [span for span in spans if span["service"] == "integrations" and span["name"].endswith(" send")]
    assert sends, "the job that sends leaves a span"
    trace = [span for span in spans if span["trace_id"] == sends[-1]["trace_id"]]
    services = {span["service"] for span in trace}
    assert {"gateway", "integrations", "messaging", "crm", "ai", "websocket", "analytics"} <= services, (
        services
    )
    known = {span["span_id"] for span in trace}
    orphans = [span for span in trace if span["parent_id"] and span["parent_id"] not in known]
    assert not orphans, orphans
    return True
