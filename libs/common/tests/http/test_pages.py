"""Pages by cursor: every row once whatever is written meanwhile, and no cursor that makes the service stumble."""

import base64
import json

import pytest
from flotilla.http import Cursor
from flotilla.testing import Client


async def names(client: Client, limit: int) -> list[str]:
    """All of them, and one more written between any two pages."""
    found: list[str] = []
    cursor, turn = "", 0
    while True:
        answer = (await client.get(f"/v1/shops?limit={limit}{cursor}")).json()
        found += [shop["name"] for shop in answer["items"]]
        if answer["next_cursor"] is None:
            return found
        cursor, turn = f"&cursor={answer['next_cursor']}", turn + 1
        await client.post("/v1/shops", {"name": f"A{turn}, before all"})


async def test_every_row_once_in_order(client: Client) -> None:
    wanted = [f"Shop {number:02}" for number in (3, 1, 2, 2, 5, 4, 7, 6, 2)]
    for name in wanted:
        await client.post("/v1/shops", {"name": name})
    assert await names(client, 2) == sorted(wanted)


async def test_a_last_page_that_is_full_has_no_next(client: Client) -> None:
    for name in ("one", "two"):
        await client.post("/v1/shops", {"name": name})
    answer = (await client.get("/v1/shops?limit=2")).json()
    assert (len(answer["items"]), answer["next_cursor"]) == (2, None)


def raw(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("5", "!!!!", "a", "%00", "ünïcode"),
        *(raw(b"nonsense"), raw(b"{}"), raw(b'"text"'), raw(b"\xff\xfe"), raw(b"[" * 300)),
        *(Cursor.write(), Cursor.write("Harbour"), Cursor.write("Harbour", "no id"), Cursor.write(1, 2, 3)),
        "A" * 2001,
    ],
)
async def test_a_cursor_that_no_page_gave_is_refused(client: Client, cursor: str) -> None:
    answer = await client.get(f"/v1/shops?cursor={cursor}")
    assert answer.status == 422, answer.body
    assert answer.json()["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("by-sequence", 2**63),
        ("by-sequence", -(2**70)),
        ("by-moment", "2026-01-01T00:00:00"),
        ("by-moment", "yesterday"),
    ],
)
async def test_a_forged_cursor_is_the_callers_error_too(client: Client, path: str, part: object) -> None:
    cursor = raw(json.dumps([part]).encode())
    assert (await client.get(f"/v1/shops/{path}?cursor={cursor}")).status == 422


async def test_another_lists_cursor_is_refused(client: Client) -> None:
    for name in ("one", "two"):
        await client.post("/v1/shops", {"name": name})
    cursor = (await client.get("/v1/shops?limit=1")).json()["next_cursor"]
    assert (await client.get(f"/v1/shops/by-sequence?cursor={cursor}")).status == 422


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", ""])
async def test_a_page_has_bounds(client: Client, limit: str) -> None:
    answer = await client.get(f"/v1/shops?limit={limit}")
    assert answer.status == 422
    assert answer.json()["errors"][0]["parameter"] == "limit"
