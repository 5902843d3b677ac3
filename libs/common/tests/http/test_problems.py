"""Whatever goes wrong, the answer is a problem (RFC 9457) that helps, and quotes nothing that was sent."""

import pytest
from flotilla.http.errors import _http
from flotilla.ids import new_id
from flotilla.problems import CONTENT_TYPE, ConflictError, Problem, TooLargeError, render
from flotilla.testing import Client, Harness
from flotilla.testing.harness import Answer
from starlette.exceptions import HTTPException
from starlette.requests import Request


def problem(answer: Answer, status: int, slug: str) -> dict[str, object]:
    """Its body, once it is what it should be."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    body: dict[str, object] = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{slug}", status)
    assert {"title", "detail", "request_id"} <= set(body)
    return body


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"{'name': 1}", b'{"name": "\xff"}', b"[" * 100_000, b'{"size": ' + b"9" * 5000 + b"}"),
        b"\x1f\x8b gzip",
    ],
)
async def test_a_body_that_is_no_json(client: Client, body: bytes) -> None:
    problem(await client.request("POST", "/v1/shops", body=body), 400, "bad-request")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "x", "size": "secret words"}, "/size"),
        ({"name": "x", "address": {"city": ["secret words"]}}, "/address/city"),
        ({"name": "x", "address": "secret words"}, "/address"),
        (["secret words"], ""),
        (None, ""),
    ],
)
async def test_values_that_do_not_fit_are_pointed_at_and_not_repeated(
    client: Client, body: object, pointer: str
) -> None:
    answer = await client.post("/v1/shops", body)
    errors = problem(answer, 422, "invalid")["errors"]
    assert isinstance(errors, list)
    assert pointer in [error["pointer"] for error in errors]
    assert b"secret words" not in answer.body


@pytest.mark.parametrize("name", ["nul \x00", "\x00"])
async def test_a_text_that_cannot_be_stored_is_the_callers_error(client: Client, name: str) -> None:
    assert "U+0000" in str(problem(await client.post("/v1/shops", {"name": name}), 422, "invalid")["detail"])


async def test_half_of_a_surrogate_pair_is_refused(client: Client) -> None:
    answer = await client.request("POST", "/v1/shops", body=b'{"name": "\\ud800"}')
    assert answer.status in (400, 422)
    problem(answer, answer.status, "invalid" if answer.status == 422 else "bad-request")


async def test_a_body_of_another_kind_is_refused(client: Client) -> None:
    answer = await client.request("POST", "/v1/shops", body=b"name=x", headers={"Content-Type": "text/plain"})
    problem(answer, 422, "invalid")


async def test_an_id_that_is_none(client: Client) -> None:
    errors = problem(await client.get("/v1/shops/nine"), 422, "invalid")["errors"]
    assert isinstance(errors, list)
    assert errors[0]["parameter"] == "shop_id"


async def test_no_such_thing_or_path(client: Client) -> None:
    problem(await client.get(f"/v1/shops/{new_id()}"), 404, "not-found")
    problem(await client.get("/v1/ships"), 404, "not-found")


async def test_a_method_the_path_does_not_know(client: Client) -> None:
    answer = await client.put(f"/v1/shops/{new_id()}", {})
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"]


async def test_an_error_of_ours_says_nothing_of_its_words(client: Client) -> None:
    answer = await client.post("/v1/shops", {"name": "Fails"}, headers={"X-Request-Id": "r-1"})
    body = problem(answer, 500, "internal")
    assert body["request_id"] == "r-1"
    assert b"jane" not in answer.body
    assert (await client.get("/v1/shops")).json()["items"] == [], "nothing half stored"


async def test_a_services_own_problem_is_not_taken_for_everybodys() -> None:
    class OutOfStockError(Problem):
        status, slug, title = 409, "out-of-stock", "Sold out"

    request = Request({"type": "http", "headers": []})
    answer = await _http(request, HTTPException(409))
    assert b"/problems/conflict" in answer.body
    assert OutOfStockError.status == ConflictError.status


async def test_statuses_without_a_problem_of_ours_have_one_made_once() -> None:
    request = Request({"type": "http", "headers": []})
    before = len(Problem.__subclasses__())
    answers = [await _http(request, HTTPException(418)) for _ in range(5)]
    assert all(b"/problems/" in answer.body for answer in answers)
    assert len(Problem.__subclasses__()) <= before + 1


def test_a_problem_carries_what_its_raiser_adds() -> None:
    status, headers, body = render(
        TooLargeError("At most 1 MB.", headers={"Retry-After": "1"}, limit=1_000_000), "r"
    )
    assert (status, headers["Retry-After"]) == (413, "1")
    assert b'"limit":1000000' in body


async def test_requests_are_measured_by_route_and_outcome(shop: Harness, client: Client) -> None:
    await client.post("/v1/shops", {"name": "Harbour"})
    await client.post("/v1/shops", {})
    await client.get(f"/v1/shops/{new_id()}")
    text = (await shop.anonymous().get("/metrics")).body.decode()
    for labels in (
        'method="POST",route="/v1/shops",status="201"',
        'method="POST",route="/v1/shops",status="422"',
        'method="GET",route="/v1/shops/{shop_id}",status="404"',
    ):
        assert f"flotilla_request_seconds_count{{{labels}}}" in text


async def test_health_metrics_and_readiness_answer_without_a_principal(shop: Harness) -> None:
    nobody = shop.anonymous()
    assert (await nobody.get("/healthz")).status == 200
    told = (await nobody.get("/metrics")).body
    for metric in (
        *(
            b"flotilla_events_handled_total",
            b"flotilla_postgres_connections",
            b"flotilla_slow_statements_total",
        ),
        *(b"process_cpu_seconds_total", b"process_resident_memory_bytes"),
    ):
        assert metric in told, metric
    ready = await nobody.get("/readyz")
    assert (ready.status, ready.json()["dependencies"]) == (200, {"postgres": "ok", "rabbitmq": "ok"})
