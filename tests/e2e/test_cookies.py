"""A browser's session over the whole fleet: begun, used, carried on, stepped up and ended without a token in a body."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
from flotilla.fleet import Fleet
from flotilla.ids import new_id
from flotilla.testing import eventually
from flotilla.testing.ports import free_port
from yarl import URL

AS_COOKIE = {"X-Session": "cookie"}
PASSWORD = "nine-Brass-lanterns-07"


@dataclass
class Browser:
    """Keeps cookies, and sends those of a path; a page of the gateway's own origin runs in it."""

    session: aiohttp.ClientSession
    base_url: str
    jar: dict[str, Any] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded body."""
        kept = [(name, one) for name, one in self.jar.items() if one.value and path.startswith(one["path"])]
        sent = {"Origin": str(URL(self.base_url).origin()), **headers}
        if kept:
            sent["Cookie"] = "; ".join(f"{name}={one.value}" for name, one in kept)
        async with self.session.request(method, self.base_url + path, json=body, headers=sent) as answer:
            for field_ in answer.headers.getall("Set-Cookie", []):
                self.jar.update(SimpleCookie(field_))
            text = await answer.text()
            assert "access_token" not in text
            assert "refresh_token" not in text
            return answer.status, (await answer.json(content_type=None)) if text else None

    @property
    def csrf(self) -> dict[str, str]:
        """What the page sends with whatever changes something."""
        return {"X-Csrf-Token": self.jar["__Host-flotilla-csrf"].value}


@asynccontextmanager
async def another_gateway(fleet: Fleet, folder: Path) -> AsyncIterator[str]:
    """A second process of the gateway before the same services, and where it answers."""
    ports = {**fleet.instance.service_ports, "gateway": free_port()}
    second = Fleet(replace(fleet.instance, service_ports=ports, fleet_folder=folder))
    second.start_service("gateway")
    try:
        await second.wait_ready("gateway")
        yield second.instance.public_url
    finally:
        await second.stop_services(["gateway"])


async def signed_up(browser: Browser) -> None:
    """Somebody new, with a session in cookies."""
    email = f"{new_id().hex}@example.org"
    person = {"organization_name": "Quay", "name": "Ada", "email": email, "password": PASSWORD}
    assert (await browser.ask("POST", "/v1/sign-up", person, **AS_COOKIE))[0] == 201


async def test_two_tabs_refresh_at_once_through_two_gateways(
    fleet: Fleet, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    first = Browser(session, fleet.instance.public_url)
    await signed_up(first)
    async with another_gateway(fleet, tmp_path) as address:
        second = Browser(session, address, dict(first.jar))
        path = "/v1/tokens/refresh"
        answers = await asyncio.gather(
            *(tab.ask("POST", path, **AS_COOKIE, **tab.csrf) for tab in (first, second, first, second))
        )
        assert [status for status, _ in answers] == [200] * 4, answers
        kept = [tab.jar["__Secure-flotilla-refresh"].value for tab in (first, second)]
        assert kept[0] == kept[1], "one session goes on, whoever's cookies the browser keeps"
        for tab in (second, first):
            assert (await tab.ask("GET", "/v1/me"))[0] == 200
        assert (await second.ask("POST", path, **AS_COOKIE, **second.csrf))[0] == 200

        thief = Browser(session, address, dict(first.jar))
        assert (await second.ask("POST", path, **AS_COOKIE, **second.csrf))[0] == 200
        assert (await thief.ask("POST", path, **AS_COOKIE, **thief.csrf))[0] == 401, "older than the last"
        assert (await second.ask("POST", path, **AS_COOKIE, **second.csrf))[0] == 401, "it ended for all"


async def test_a_browsers_session_from_its_beginning_to_its_end(
    fleet: Fleet, session: aiohttp.ClientSession
) -> None:
    browser = Browser(session, fleet.instance.public_url)
    email = f"{new_id().hex}@example.org"
    person = {"organization_name": "Quay", "name": "Ada", "email": email, "password": PASSWORD}
    status, said = await browser.ask("POST", "/v1/sign-up", person, **AS_COOKIE)
    assert status == 201, said
    assert said["csrf_token"] == browser.csrf["X-Csrf-Token"]

    status, me = await browser.ask("GET", "/v1/me")
    assert (status, me["user"]["email"] if "user" in me else me["email"]) == (200, email)
    contact = {"name": "Grace"}
    status, refused = await browser.ask("POST", "/v1/contacts", contact)
    assert (status, refused["type"]) == (403, "/problems/cross-site-request")
    assert (await browser.ask("POST", "/v1/contacts", contact, **browser.csrf))[0] == 201

    before = dict(browser.jar)
    status, said = await browser.ask("POST", "/v1/tokens/refresh", **AS_COOKIE, **browser.csrf)
    assert status == 200, said
    assert browser.jar["__Secure-flotilla-refresh"].value != before["__Secure-flotilla-refresh"].value
    assert (await browser.ask("GET", "/v1/me"))[0] == 200

    assert (await browser.ask("POST", "/v1/step-up", {"password": PASSWORD}, **browser.csrf))[0] == 200
    origins = {"allowed_origins": ["https://app.example.org"]}
    assert (await browser.ask("PATCH", "/v1/organization", origins, **browser.csrf))[0] == 200

    thief = Browser(session, browser.base_url, dict(browser.jar))
    assert (await browser.ask("POST", "/v1/sign-out", **browser.csrf))[0] == 204
    assert [one.value for one in browser.jar.values()] == ["", "", ""]

    async def ended() -> bool:
        return (await thief.ask("GET", "/v1/me"))[0] == 401

    await eventually(ended, what="the session's cookies are good for nobody")
    assert (await thief.ask("POST", "/v1/tokens/refresh", **AS_COOKIE, **thief.csrf))[0] == 401

    status, said = await browser.ask(
        "POST", "/v1/sign-in", {"email": email, "password": PASSWORD}, **AS_COOKIE
    )
    assert (status, said["state"]) == (200, "signed_in")
    assert (await browser.ask("GET", "/v1/me"))[0] == 200
    await _end_another(browser, email)


async def _end_another(browser: Browser, email: str) -> None:
    """A session that is ended from another device is refused at the gateway from then on."""
    other = Browser(browser.session, browser.base_url)
    proof = {"email": email, "password": PASSWORD}
    assert (await other.ask("POST", "/v1/sign-in", proof, **AS_COOKIE))[0] == 200
    _, listed = await browser.ask("GET", "/v1/sessions")
    (lost,) = [each["id"] for each in listed["items"] if not each["current"]]
    assert (await other.ask("GET", "/v1/me"))[0] == 200

    began = time.monotonic()
    assert (await browser.ask("DELETE", f"/v1/sessions/{lost}", **browser.csrf))[0] == 204

    async def refused() -> bool:
        return (await other.ask("GET", "/v1/me"))[0] == 401

    await eventually(refused, what="refused")
    print(f"from DELETE /v1/sessions to 401: {time.monotonic() - began:.3f} s")
    assert (await browser.ask("GET", "/v1/me"))[0] == 200
