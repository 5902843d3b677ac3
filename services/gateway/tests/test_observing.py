"""What is told of requests: one line each without secrets, traces, counts."""

import json
from typing import Any

import pytest
from flotilla.ids import new_id
from prometheus_client import generate_latest

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask
from services.gateway.tests.world import World


def lines_of(edge: World) -> list[dict[str, Any]]:
    """What has been logged so far."""
    edge.gateway.access_log.flush()
    return [json.loads(line) for line in b"".join(edge.log).splitlines()]


async def test_one_line_a_request(edge: World) -> None:
    user, org, secret = str(new_id()), str(new_id()), "s3cret-value"
    token = edge.token(sub=user, org=org)
    await ask(edge.port, "GET", f"/v1/things/{secret}?email={secret}", f"x-own: {secret}", token=token)
    await ask(edge.port, "GET", f"/v1/{secret}?q={secret}")
    await ask(edge.port, "GET", f"/v1/live/events?access_token={token}")
    things, unknown, live = lines_of(edge)

    assert things["actor"] == f"user:{user}"
    assert things["org"] == org
    assert (things["method"], things["route"]) == ("GET", "/v1/things/{thing_id}")
    assert (things["status"], things["upstream"], things["sent"]) == (200, "things", 1)
    assert 0 < things["ms"] < 5000
    assert things["network"] == "127.0.0.0/24"
    assert "127.0.0.1" not in str(things), "an address says something of a person"
    assert len(things["caller"]) == 16
    assert (things["service"], things["event"], things["level"]) == ("gateway", "request", "info")
    assert (unknown["route"], unknown["status"]) == ("-", 404)
    assert live["route"] == "/v1/live/events"
    for line in (things, unknown, live):
        assert secret not in str(line)
        assert token not in str(line)


async def test_answers_carry_the_id_that_is_logged(edge: World) -> None:
    answer = await ask(edge.port, "GET", "/v1/things")
    (line,) = lines_of(edge)
    assert line["request_id"] == answer.header("x-request-id") == answer.json()["request_id"]


async def test_starts_a_trace_of_its_own(start_world: StartWorld) -> None:
    given = "traceparent: 00-11111111111111111111111111111111-2222222222222222-01"
    async with start_world(trace_ratio=1.0) as edge:
        await ask(edge.port, "GET", "/v1/things", given, token=edge.token())
        passed = edge.things.requests[0].all("traceparent")
        (line,) = lines_of(edge)
    assert len(passed) == 1
    version, trace_id, _, flags = passed[0].split("-")
    assert (version, flags) == ("00", "01")
    assert trace_id == line["trace_id"] != "1" * 32


async def test_continues_a_callers_trace_where_it_is_told_to(start_world: StartWorld) -> None:
    given = "traceparent: 00-11111111111111111111111111111111-2222222222222222-01"
    async with start_world(honour_traceparent=True) as edge:
        await ask(edge.port, "GET", "/v1/things", given, token=edge.token())
        assert (edge.things.requests[0].header("traceparent") or "").split("-")[1] == "1" * 32
        await ask(edge.port, "GET", "/v1/things", "traceparent: nonsense", token=edge.token())
        assert edge.things.requests[1].header("traceparent") is None


async def test_counts_by_service_class_and_status(edge: World) -> None:
    def counted() -> float:
        wanted = 'flotilla_gateway_requests_total{limit="session",status="200",upstream="others"} '
        lines = generate_latest().decode().splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    before = counted()
    await ask(edge.port, "GET", "/v1/others", token=edge.token())
    assert counted() == before + 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_it_sent_is_what_is_logged(edge: World, method: str) -> None:
    await ask(edge.port, method, "/v1/things", token=edge.token())
    (line,) = lines_of(edge)
    assert (line["method"], line["sent"]) == (method, 1 if method == "GET" else 0)
