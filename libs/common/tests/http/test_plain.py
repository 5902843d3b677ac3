"""Routes that are answered past FastAPI behave like all others."""

from uuid import UUID

import pytest
from fastapi import FastAPI
from flotilla.http import Routes, Tx
from flotilla.http.plain import Plain
from flotilla.telemetry import metrics
from flotilla.testing import Client, Harness
from pydantic import BaseModel

from libs.common.tests.http.shop import service
from libs.common.tests.http.test_problems import problem


async def test_it_is_answered(client: Client) -> None:
    answer = await client.request("POST", "/v1/shops/corner/bell", body=b"hello")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"name": "corner", "said": f"{service.name}: hello"}


async def test_who_may_not_is_refused(shop: Harness, org: UUID) -> None:
    viewer = shop.client(org, role="viewer")
    problem(await viewer.request("POST", "/v1/shops/corner/bell", body=b"hello"), 403, "forbidden")


async def test_what_goes_wrong_is_a_problem(client: Client) -> None:
    problem(await client.request("POST", "/v1/shops/corner/bell", body=b"nobody"), 404, "not-found")
    problem(await client.request("POST", "/v1/shops/corner/bell", body=b"broken"), 500, "internal")


async def test_its_transaction_is_committed(client: Client) -> None:
    assert (await client.request("POST", "/v1/shops/corner/bell", body=b"open")).status == 200
    shops = (await client.get("/v1/shops")).json()["items"]
    assert [each["name"] for each in shops] == ["corner"]


async def test_it_is_measured_and_other_methods_are_not_its_own(client: Client) -> None:
    labels = ("/v1/shops/{name}/bell", "POST", "200")
    before = metrics.REQUESTS.labels(*labels)._sum.get()
    await client.request("POST", "/v1/shops/corner/bell", body=b"hello")
    assert metrics.REQUESTS.labels(*labels)._sum.get() > before
    assert (await client.get("/v1/shops/corner/bell")).status == 405


def test_it_is_given_no_more_than_it_can_be() -> None:
    class Answer(BaseModel):
        pass

    async def typed(name: UUID) -> Answer:
        return Answer()

    async def injected(name: str, tx: Tx) -> Answer:
        return Answer()

    for endpoint in (typed, injected):
        routes = Routes("/v1/x", tag="x")
        routes.post("/{name}", permission="companies:write", plain=True)(endpoint)
        with pytest.raises(TypeError, match="strings of its path"):
            Plain(FastAPI(), routes.plain)
