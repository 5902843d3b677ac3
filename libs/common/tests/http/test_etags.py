"""ETag and If-Match (RFC 9110, section 13): nobody writes over what they have not read."""

import pytest
from flotilla.testing import Client

RENAMED = {"name": "Harbour & Sons"}


@pytest.fixture
async def path(client: Client) -> str:
    return str((await client.post("/v1/shops", {"name": "Harbour"})).headers["Location"])


async def test_a_state_is_tagged_and_its_change_takes_the_tag(client: Client, path: str) -> None:
    tag = (await client.get(path)).headers["ETag"]
    assert tag == '"1"'
    assert (await client.patch(path, RENAMED, headers={"If-Match": tag})).status == 200
    late = await client.patch(path, RENAMED, headers={"If-Match": tag})
    assert (late.status, late.headers["ETag"]) == (412, '"2"')
    assert late.json()["type"] == "/problems/precondition-failed"
    assert (await client.get(path)).json()["sequence"] == 2


@pytest.mark.parametrize("tag", ["*", 'W/"1"', '"7", "1"', None])
async def test_tags_that_match(client: Client, path: str, tag: str | None) -> None:
    headers = {"If-Match": tag} if tag else {}
    assert (await client.patch(path, RENAMED, headers=headers)).status == 200


@pytest.mark.parametrize("tag", ['"0"', '"11"', "", "nonsense"])
async def test_tags_that_do_not(client: Client, path: str, tag: str) -> None:
    assert (await client.patch(path, RENAMED, headers={"If-Match": tag})).status == 412
