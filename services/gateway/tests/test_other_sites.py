"""What pages of other origins try with somebody's session, in a real browser, and that none of it comes through."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from flotilla.ids import new_id
from flotilla.testing.chromium import Chromium, Page
from flotilla.testing.ports import free_port
from flotilla.testing.serving import serving

from services.gateway.tests.browsers import ACCESS_COOKIE, CSRF_COOKIE, REFRESH_COOKIE, Auth
from services.gateway.tests.world import World

SIGN_IN = """fetch('/v1/sign-in', {method: 'POST', body: '{}',
    headers: {'x-session': 'cookie', 'content-type': 'application/json'}}).then(answer => answer.json())"""
WRITE = """fetch('/v1/things', {method: 'POST', body: '{}', headers: {'x-csrf-token':
    document.cookie.split('; ').find(each => each.startsWith('__Host-flotilla-csrf=')).split('=')[1]}})
    .then(answer => answer.status)"""
ATTACKS = """Promise.all([
    fetch(`${there}/v1/things`, {credentials: 'include'}).then(answer => answer.text()),
    fetch(`${there}/v1/things`, {credentials: 'include', mode: 'no-cors'}).then(answer => answer.type),
    fetch(`${there}/v1/things`, {method: 'POST', credentials: 'include', mode: 'no-cors', body: '{}'})
        .then(answer => answer.type),
    fetch(`${there}/v1/things`, {method: 'POST', credentials: 'include', body: '{}',
        headers: {'x-csrf-token': document.cookie.split('=')[1] || 'none'}}).then(answer => answer.text()),
    fetch(`${there}/v1/things/1`, {method: 'DELETE', credentials: 'include'}).then(answer => answer.text()),
    fetch(`${there}/v1/sign-out`, {method: 'POST', credentials: 'include', mode: 'no-cors'})
        .then(answer => answer.type),
    fetch(`${there}/v1/tokens/refresh`, {method: 'POST', credentials: 'include', mode: 'no-cors'})
        .then(answer => answer.type),
    fetch(`${there}/v1/sign-in`, {method: 'POST', credentials: 'include', body: '{}',
        headers: {'x-session': 'cookie'}}).then(answer => answer.text()),
    new Promise(resolve => {
        const socket = new WebSocket(there.replace('http', 'ws') + '/v1/live');
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
    }),
    new Promise(resolve => {
        const stream = new EventSource(`${there}/v1/live/events`, {withCredentials: true});
        stream.onopen = () => resolve('open');
        stream.onerror = () => { stream.close(); resolve('refused'); };
    }),
    new Promise(resolve => {
        const frame = document.createElement('iframe');
        frame.name = 'target';
        document.body.append(frame);
        const form = document.createElement('form');
        Object.assign(form, {action: `${there}/v1/things`, method: 'post', enctype: 'text/plain', target: 'target'});
        document.body.append(form);
        frame.onload = () => resolve('sent');
        form.submit();
    }),
].map(attack => attack.catch(() => 'refused')))"""
SEEN = {"refused", "opaque", "sent"}
"""What an attack gets to see: nothing."""


async def test_no_other_page_acts_in_somebodys_name(edge: World) -> None:
    edge.services["auth"].script = Auth(
        edge, {"sub": str(new_id()), "org": str(new_id()), "sid": str(new_id())}
    )
    own = f"http://localhost:{edge.port}"
    async with elsewhere() as port, Chromium.running() as browser:
        async with browser.page(f"{own}/healthz") as page:
            await signs_in_and_writes(page)
        assert len(edge.things.requests) == 1
        written: list[bytes] = []
        edge.gateway.access_log.flush()
        edge.gateway.access_log._write = written.append
        # A neighbour of the same site is sent the cookies, and even shares those that scripts may read.
        for host in ("localhost", "127.0.0.1"):
            async with browser.page(f"http://{host}:{port}/") as page:
                await page.evaluate(f"globalThis.there = '{own}'")
                assert set(await page.evaluate(ATTACKS)) <= SEEN
            assert len(edge.things.requests) == 1
            for asked in edge.services["auth"].requests[1:]:
                assert asked.target == "/v1/tokens/refresh", (
                    "for everybody who has a token, and they have none"
                )
                assert asked.header("cookie") is None
            assert not edge.services["websocket"].requests
            edge.gateway.access_log.flush()
            lines = [json.loads(line) for line in b"".join(written).splitlines()]
            statuses = {line["status"] for line in lines if line["method"] != "OPTIONS"}
            assert statuses <= {401, 403}, "all that came was refused"
            assert 403 in statuses, "and some of it came"
        async with browser.page(f"{own}/healthz") as page:
            assert await page.evaluate(WRITE) == 200, "the session is as it was"


async def signs_in_and_writes(page: Page) -> None:
    """What a page of the gateway's own may."""
    said = await page.evaluate(SIGN_IN)
    assert said["state"] == "signed_in", said
    assert "access_token" not in said
    readable = await page.evaluate("document.cookie")
    assert CSRF_COOKIE in readable
    assert ACCESS_COOKIE not in readable
    assert REFRESH_COOKIE not in readable
    assert await page.evaluate(WRITE) == 200


@asynccontextmanager
async def elsewhere() -> AsyncIterator[int]:
    """A server of other people's pages; its port."""

    async def show(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Win</title><body>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", show)
    port = free_port()
    async with serving(application, port):
        yield port
