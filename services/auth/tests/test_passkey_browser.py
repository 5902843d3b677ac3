"""One whole round in a real browser, with Chromium's own virtual authenticator."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from aiohttp import web
from flotilla.events.security import UserPasskeyRefused
from flotilla.testing import Client, Harness
from flotilla.testing.chromium import Chromium, Page
from flotilla.testing.serving import serving
from flotilla_auth.testing import Person, claims

from services.auth.tests import keys

CREATE = """
navigator.credentials.create({{publicKey: PublicKeyCredential.parseCreationOptionsFromJSON({options})}})
    .then(credential => credential.toJSON())"""
GET = """
navigator.credentials.get({{publicKey: PublicKeyCredential.parseRequestOptionsFromJSON({options})}})
    .then(credential => credential.toJSON())"""
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
async def page(origin: str) -> AsyncIterator[Page]:
    """The console's page, as far as passkeys know it: an origin."""

    async def show(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Flotilla</title>", content_type="text/html")

    server = web.Application()
    server.router.add_get("/", show)
    async with (
        serving(server, urlsplit(origin).port or 0),
        Chromium.running() as browser,
        browser.page(f"{origin}/") as page,
    ):
        yield page


async def in_browser(page: Page, script: str, client: Client, path: str) -> dict[str, Any]:
    """What the browser makes of what we ask it."""
    options = await keys.options(client, path)
    answer: dict[str, Any] = await page.evaluate(script.format(options=msgspec.json.encode(options).decode()))
    return answer


async def test_a_whole_round(auth: Harness, owner: Person, page: Page) -> None:
    await page.command("WebAuthn.enable")
    device = await page.command("WebAuthn.addVirtualAuthenticator", options=DEVICE)
    nobody, client = auth.anonymous(), owner.client

    made = await in_browser(page, CREATE, client, "/v1/me/passkeys")
    added = await client.post("/v1/me/passkeys/complete", {"credential": made})
    assert added.status == 201, added.body
    kept = (await page.command("WebAuthn.getCredentials", **device))["credentials"]
    assert [each["isResidentCredential"] for each in kept] == [True]

    signed = await in_browser(page, GET, nobody, "/v1/sign-in/passkey")
    done = await nobody.post("/v1/sign-in/passkey/complete", {"credential": signed})
    assert done.status == 200, done.body
    assert claims(done.json()["access_token"])["acr"] == "aal2"

    signed = await in_browser(page, GET, client, "/v1/step-up/passkey")
    passed = await client.post("/v1/step-up", {"passkey": signed})
    assert passed.status == 200, passed.body

    # A copy, taken as the passkey was made: its count begins again where the original's was.
    await page.command("WebAuthn.removeVirtualAuthenticator", **device)
    copy = await page.command("WebAuthn.addVirtualAuthenticator", options=DEVICE)
    await page.command("WebAuthn.addCredential", **copy, credential=kept[0])
    signed = await in_browser(page, GET, nobody, "/v1/sign-in/passkey")
    refused = await nobody.post("/v1/sign-in/passkey/complete", {"credential": signed})
    assert refused.status == 401, refused.body
    told = await auth.spy.expect(UserPasskeyRefused, lambda event: event.org == owner.org)
    assert told.data.reason == "cloned"
