"""Choosing a provider."""

from typing import Any

import pytest
from flotilla.testing import Client, Harness
from flotilla.testing.plugin import StartService

HOSTED: dict[str, Any] = {
    "provider": "openai_compatible",
    "base_url": "https://models.example/v1",
    "model": "large",
    "api_key": "sk-1",
}


async def test_the_local_one_is_chosen_by_default(owner: Client) -> None:
    found = await owner.get("/v1/ai/settings")
    assert (found.json()["provider"], found.json()["has_api_key"]) == ("local", False)
    assert found.headers["ETag"] == '"0"'


async def test_a_key_is_kept_and_never_shown(ai: Harness, owner: Client) -> None:
    saved = await owner.put("/v1/ai/settings", HOSTED)
    assert (saved.status, saved.json()["has_api_key"]) == (200, True)
    assert b"sk-1" not in saved.body + (await owner.get("/v1/ai/settings")).body
    kept = {**HOSTED, "model": "small"}
    del kept["api_key"]
    assert (await owner.put("/v1/ai/settings", kept)).json()["has_api_key"] is True
    moved = {**kept, "base_url": "https://elsewhere.example/v1"}
    assert (await owner.put("/v1/ai/settings", moved)).json()["has_api_key"] is False
    async with ai.app.db.transaction(owner.org) as tx:
        row = await tx.fetchrow("SELECT * FROM ai_settings")
    assert row is not None
    assert row["sealed_api_key"] is None


async def test_two_administrators_do_not_overwrite_each_other(owner: Client) -> None:
    etag = (await owner.put("/v1/ai/settings", HOSTED)).headers["ETag"]
    assert (await owner.put("/v1/ai/settings", HOSTED, headers={"If-Match": etag})).status == 200
    assert (await owner.put("/v1/ai/settings", HOSTED, headers={"If-Match": etag})).status == 412


async def test_only_administrators_may(ai: Harness, member: Client) -> None:
    assert (await member.get("/v1/ai/settings")).status == 403
    assert (await member.put("/v1/ai/settings", HOSTED)).status == 403


@pytest.mark.parametrize(
    "base_url",
    [
        "http://models.example/v1",
        "https://127.0.0.1/v1",
        "https://10.1.2.3/v1",
        "https://[::1]/v1",
        "https://localhost/v1",
        "https://db.internal/v1",
        "https://user:pass@models.example/v1",
        "file:///etc/passwd",
        "models.example",
        "https://models.example:99999/v1",
    ],
)
def test_where_a_provider_may_not_stand(base_url: str) -> None:
    from flotilla_ai.providers.network import refusal_of

    assert refusal_of(base_url, private=False)
    assert refusal_of("https://models.example/v1", private=False) is None


async def test_private_addresses_are_refused_by_default(start_service: StartService, owner: Client) -> None:
    async with start_service("ai") as strict:
        refused = await strict.client(owner.org).put(
            "/v1/ai/settings", {**HOSTED, "base_url": "http://127.0.0.1:9/v1", "model": None}
        )
    pointers = [error["pointer"] for error in refused.json()["errors"]]
    assert (refused.status, pointers) == (422, ["/base_url", "/model"])
