"""Two requests that wait for each other: Postgres ends one, which is done again where all of it was undone."""

import asyncio
from uuid import UUID

import pytest
from flotilla.testing import Client

from libs.common.tests.http.shop import met


async def opened(client: Client, name: str) -> UUID:
    return UUID((await client.post("/v1/shops", {"name": name})).json()["id"])


@pytest.mark.parametrize(("own", "statuses", "attempts"), [(False, [204, 204], 3), (True, [204, 503], 2)])
async def test_two_that_cross(client: Client, own: bool, statuses: list[int], attempts: int) -> None:
    """A route that commits by itself may have committed something before: that one the caller repeats."""
    left, right = await opened(client, "Left"), await opened(client, "Right")
    answers = await asyncio.gather(
        client.post(f"/v1/shops/{left}/swap/{right}?own={own}", {}, headers={"Idempotency-Key": "left"}),
        client.post(f"/v1/shops/{right}/swap/{left}?own={own}", {}, headers={"Idempotency-Key": "right"}),
    )
    assert sorted(answer.status for answer in answers) == statuses
    assert len([each for each in met if each in (left, right)]) == attempts
    shops = [(await client.get(f"/v1/shops/{id_}")).json()["sequence"] for id_ in (left, right)]
    assert sorted(shops) == [1 + (status == 204) for status in reversed(statuses)]
