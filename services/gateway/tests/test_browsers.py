"""Sessions in cookies: set, used, carried on and ended, and of no use to any other site's page."""

import asyncio
from typing import Any

import pytest
from flotilla.ids import new_id
from flotilla_gateway.browser.cookies import read
from flotilla_gateway.browser.proofs import Proofs
from flotilla_gateway.edge.cors import Cors
from flotilla_gateway.trust.tokens import ClientSession
from websockets.exceptions import InvalidStatus

from services.gateway.tests.browsers import ACCESS_COOKIE, CSRF_COOKIE, OWN, REFRESH_COOKIE, Auth, Browser
from services.gateway.tests.raw import ask
from services.gateway.tests.test_tunnels import live, opening
from services.gateway.tests.world import World


def arranged(edge: World, **claims: Any) -> tuple[Browser, Auth]:
    """A browser, and the auth it signs in at."""
    person = {"sub": str(new_id()), "org": str(new_id()), "sid": str(new_id()), **claims}
    auth = edge.services["auth"].script = Auth(edge, person)
    return Browser(edge.port), auth


async def test_tokens_become_cookies_that_scripts_cannot_read(edge: World) -> None:
    browser, _ = arranged(edge)
    answer = await browser.sign_in()
    assert answer.status == 200, answer.body
    assert b"access_token" not in answer.body
    assert b"refresh_token" not in answer.body
    assert b"rt_0" not in answer.body
    assert (answer.json()["state"], answer.json()["expires_in"]) == ("signed_in", 900)
    assert answer.json()["csrf_token"] == browser.jar[CSRF_COOKIE].value
    assert answer.header("cache-control") == "no-store"

    access, refresh, csrf = (browser.jar[name] for name in (ACCESS_COOKIE, REFRESH_COOKIE, CSRF_COOKIE))
    for cookie in (access, refresh, csrf):
        assert cookie["secure"], cookie.key
        assert cookie["samesite"] == "Strict", cookie.key
        assert not cookie["domain"], cookie.key
    assert (access["httponly"], refresh["httponly"], csrf["httponly"]) == (True, True, "")
    assert (access["path"], csrf["path"], refresh["path"]) == ("/", "/", "/v1/tokens/refresh")
    assert 800 < int(access["max-age"]) <= 900
    assert access.key.startswith("__Host-")


async def test_who_does_not_ask_for_cookies_gets_tokens(edge: World) -> None:
    browser, _ = arranged(edge)
    answer = await browser.ask("POST", "/v1/sign-in", OWN, body=b"{}")
    assert "access_token" in answer.json()
    assert not browser.jar


async def test_the_cookie_shows_who_asks_and_goes_no_further(edge: World) -> None:
    browser, auth = arranged(edge)
    await browser.sign_in()
    assert (await browser.ask("GET", "/v1/things")).status == 200
    principal = edge.principal()
    assert str(principal.user_id) == auth.claims["sub"]
    assert edge.things.requests[-1].header("cookie") is None
    await browser.ask("GET", "/v1/open", f"cookie: theme=dark; {ACCESS_COOKIE}=x; {CSRF_COOKIE}=y")
    assert edge.things.requests[-1].header("cookie") == "theme=dark", "nor to a route for everybody"


async def test_what_changes_something_takes_the_proof(edge: World) -> None:
    browser, _ = arranged(edge)
    await browser.sign_in()
    other, _ = arranged(edge)
    await other.sign_in()
    both = f"cookie: {ACCESS_COOKIE}={browser.jar[ACCESS_COOKIE].value}; {CSRF_COOKIE}={other.jar[CSRF_COOKIE].value}"
    changed = browser.csrf[:-1] + ("A" if browser.csrf[-1] != "A" else "B")
    refused: list[tuple[str, ...]] = [
        (),
        (changed,),
        ("x-csrf-token:",),
        (other.csrf,),
        (browser.csrf, "origin: https://evil.example"),
        (browser.csrf, "origin: null"),
        (browser.csrf, "origin: http://gateway.test.evil.example"),
        (browser.csrf, "origin: https://gateway.test"),
        (browser.csrf, "sec-fetch-site: cross-site"),
        (browser.csrf, "sec-fetch-site: same-site"),
    ]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for headers in refused:
            path = "/v1/things" if method == "POST" else "/v1/things/1"
            answer = await browser.ask(method, path, *headers, body=b"{}")
            assert (answer.status, answer.json()["type"]) == (403, "/problems/cross-site-request"), headers
    assert (await ask(edge.port, "POST", "/v1/things", both, other.csrf, body=b"{}")).status == 403, (
        "another's token"
    )
    assert not edge.things.requests
    for headers in ((browser.csrf, OWN), (browser.csrf, "sec-fetch-site: same-origin"), (browser.csrf,)):
        assert (await browser.ask("POST", "/v1/things", *headers, body=b"{}")).status == 200


async def test_a_tab_keeps_its_proof_when_another_refreshes(edge: World) -> None:
    browser, _ = arranged(edge)
    await browser.sign_in()
    kept = browser.csrf
    assert (await browser.ask("POST", "/v1/tokens/refresh", "x-session: cookie", kept, OWN)).status == 200
    assert browser.csrf != kept
    for proof in (kept, browser.csrf):
        assert (await browser.ask("POST", "/v1/things", proof, OWN, body=b"{}")).status == 200


async def test_reading_takes_no_proof_but_is_no_other_sites(edge: World) -> None:
    browser, _ = arranged(edge)
    await browser.sign_in()
    assert (await browser.ask("GET", "/v1/things", "sec-fetch-site: none")).status == 200
    link = ("sec-fetch-site: same-site", "sec-fetch-mode: navigate")
    assert (await browser.ask("GET", "/v1/things", *link)).status == 200
    for header in ("origin: https://evil.example", "sec-fetch-site: cross-site", "sec-fetch-site: same-site"):
        assert (await browser.ask("GET", "/v1/things", header)).status == 403
    assert (await browser.ask("GET", "/v1/live/events", "origin: https://evil.example")).status == 403


async def test_the_header_wins_and_takes_no_proof(edge: World) -> None:
    browser, _ = arranged(edge)
    await browser.sign_in()
    somebody = str(new_id())
    header = f"authorization: Bearer {edge.token(sub=somebody)}"
    answer = await browser.ask("POST", "/v1/things", header, "origin: https://evil.example", body=b"{}")
    assert answer.status == 200, "no page can send it without being allowed to"
    assert str(edge.principal().user_id) == somebody
    basic = await browser.ask("POST", "/v1/things", "authorization: Basic abc", body=b"{}")
    assert basic.status == 403, "what a browser adds by itself proves nothing"
    bad = await browser.ask("GET", "/v1/things", "authorization: Bearer nonsense")
    assert bad.status == 401, "and a bad one is not made good by a cookie"


async def test_it_is_carried_on_by_the_cookie_alone(edge: World) -> None:
    browser, auth = arranged(edge)
    await browser.sign_in()
    before = browser.jar[REFRESH_COOKIE].value
    assert before not in str([await browser.ask("GET", "/v1/things"), *edge.things.requests])
    path = "/v1/tokens/refresh"
    assert (await browser.ask("POST", path, "x-session: cookie", OWN)).status == 403, "without the proof"
    assert (
        await browser.ask("POST", path, "x-session: cookie", browser.csrf, "origin: https://e.example")
    ).status == 403
    assert auth.refreshed_with == []
    answer = await browser.ask(
        "POST", path, "x-session: cookie", browser.csrf, OWN, body=b'{"refresh_token":"x"}'
    )
    assert answer.status == 200, answer.body
    assert auth.refreshed_with == [{"refresh_token": "rt_0"}], "what the body says is nothing"
    assert b"rt_1" not in answer.body
    assert browser.jar[REFRESH_COOKIE].value != before
    assert (await browser.ask("POST", "/v1/things", browser.csrf, OWN, body=b"{}")).status == 200


async def test_a_refresh_cookie_of_another_host_is_nobodys(edge: World) -> None:
    victim, _ = arranged(edge)
    await victim.sign_in()
    attacker, auth = arranged(edge)
    await attacker.sign_in()
    # A neighbouring host can set a cookie that is not `__Host-`: the attacker's own session, to act in unawares.
    csrf = f"{CSRF_COOKIE}={victim.jar[CSRF_COOKIE].value}"
    tossed = f"cookie: {REFRESH_COOKIE}={attacker.jar[REFRESH_COOKIE].value}; {csrf}"
    path, headers = "/v1/tokens/refresh", ("x-session: cookie", victim.csrf, OWN)
    assert (await ask(edge.port, "POST", path, tossed, *headers)).status == 403
    forged = f"cookie: {REFRESH_COOKIE}=rt_0.{'A' * 64}; {csrf}"
    assert (await ask(edge.port, "POST", path, forged, *headers)).status == 401
    assert (await ask(edge.port, "POST", path, *headers)).status == 401, "none at all"
    assert auth.refreshed_with == []


async def test_a_session_that_cannot_be_carried_on_leaves_no_cookies(edge: World) -> None:
    browser, auth = arranged(edge)
    await browser.sign_in()
    auth.refuses = True
    answer = await browser.ask("POST", "/v1/tokens/refresh", "x-session: cookie", browser.csrf, OWN)
    assert answer.status == 401
    assert [morsel.value for morsel in browser.jar.values()] == ["", "", ""]


async def test_signing_out_takes_the_cookies_back(edge: World) -> None:
    browser, _ = arranged(edge)
    await browser.sign_in()
    assert (await browser.ask("POST", "/v1/sign-out", OWN)).status == 403
    assert browser.jar[ACCESS_COOKIE].value, "another site's page signs nobody out"
    assert (await browser.ask("POST", "/v1/sign-out", browser.csrf, OWN)).status == 204
    assert [(morsel.value, morsel["max-age"]) for morsel in browser.jar.values()] == [("", "0")] * 3


async def test_a_step_up_changes_the_cookie_without_being_asked(edge: World) -> None:
    browser, auth = arranged(edge)
    await browser.sign_in()
    before, csrf = browser.jar[ACCESS_COOKIE].value, browser.jar[CSRF_COOKIE].value
    auth.claims["acr"] = "aal2"
    answer = await browser.ask("POST", "/v1/step-up", browser.csrf, OWN, body=b"{}")
    assert answer.json() == {"expires_in": 900}
    assert browser.jar[ACCESS_COOKIE].value != before
    assert browser.jar[CSRF_COOKIE].value == csrf
    assert (await browser.ask("GET", "/v1/things")).status == 200
    assert edge.principal().factors == 2


async def test_nobody_is_signed_in_by_another_sites_page(edge: World) -> None:
    browser, _ = arranged(edge)
    for header in ("origin: https://evil.example", "sec-fetch-site: cross-site", "sec-fetch-site: same-site"):
        answer = await browser.ask("POST", "/v1/sign-in", "x-session: cookie", header, body=b"{}")
        assert answer.status == 403
    assert not browser.jar
    assert not edge.services["auth"].requests


async def test_a_programs_token_is_none_for_a_cookie(edge: World) -> None:
    token = edge.token(scope="things:read")
    assert isinstance(edge.gateway.tokens.session(token.encode()), ClientSession)
    answer = await ask(edge.port, "GET", "/v1/things", f"cookie: {ACCESS_COOKIE}={token}")
    assert answer.status == 401


async def test_a_cookie_that_comes_twice_is_none(edge: World) -> None:
    good = edge.token()
    twice = f"cookie: {ACCESS_COOKIE}={good}; {ACCESS_COOKIE}={good}"
    assert (await ask(edge.port, "GET", "/v1/things", twice)).status == 401
    assert read(b"a=b; __Host-flotilla-access=x; c") == {b"__Host-flotilla-access": b"x"}


async def test_sockets_by_cookie_from_pages_of_ours_alone(tmp_path: Any) -> None:
    async with live(tmp_path) as (edge, server):
        cookie = {"cookie": f"{ACCESS_COOKIE}={edge.token()}"}
        own = f"http://127.0.0.1:{edge.port}"
        async with opening(edge, additional_headers=cookie, origin=own) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            passed = next(iter(server.connections)).request
            assert passed is not None
            assert "cookie" not in passed.headers
        for origin in (None, "https://evil.example", "null", f"{own}0"):
            with pytest.raises(InvalidStatus) as refused:
                await opening(edge, additional_headers=cookie, origin=origin)
            assert refused.value.response.status_code == 403
        await asyncio.sleep(0)
        assert not server.connections


def test_proofs_are_good_for_one_session_and_one_key() -> None:
    proofs, others = Proofs((b"a" * 32,), Cors("")), Proofs((b"b" * 32,), Cors(""))
    session = new_id()
    bound = proofs.bind(session, "rt_1.x")
    assert proofs.unbind(bound) == (session, "rt_1.x")
    assert others.unbind(bound) is None
    assert proofs.unbind(b"rt_2" + bound[4:]) is None
    for nonsense in (b"", b".", b"a.b", b"\xff.\xff", bound[:-2], "ü.ü".encode()):
        assert proofs.unbind(nonsense) is None
