"""Vendors that speak JSON over HTTP, as far as their documentation says: one local server for all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from flotilla.testing.serving import serving

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKENS = ("Bearer key-of-vapi", "Bearer token-of-hubspot", "shopify-token", "Basic Y2tfbG9jYWw6Y3NfbG9jYWw=")


@dataclass
class Vendors:
    """What it was told, and what it answers next."""

    address: str = ""
    hooks: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"shopify": [], "woo": []})
    assistant: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """HubSpot's, by id."""
    reads: list[list[str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered instead."""
    lose_calls: int = 0
    """So many answers to POST /call are lost after the call was made."""
    refuse_calls: bool = False
    revoked: bool = False
    """No credentials are good any more."""

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Vendors"]:
        """On a free port."""
        vendors = cls()
        app = web.Application(middlewares=[vendors._checked])
        app.router.add_get("/admin/api/{version}/shop.json", vendors._shop)
        app.router.add_route("*", "/admin/api/{version}/webhooks.json", vendors._shopify_hooks)
        app.router.add_delete("/admin/api/{version}/webhooks/{id}.json", vendors._drop_shopify)
        app.router.add_route("*", "/wp-json/wc/v3/webhooks", vendors._woo_hooks)
        app.router.add_route("*", "/wp-json/wc/v3/webhooks/{id}", vendors._woo_hook)
        app.router.add_route("*", "/assistant/{id}", vendors._assistant)
        app.router.add_get("/phone-number/{id}", vendors._number)
        app.router.add_route("*", "/call", vendors._call)
        app.router.add_get("/account-info/v3/details", vendors._portal)
        app.router.add_post("/crm/v3/objects/{type}/batch/read", vendors._objects)
        async with serving(app) as vendors.address:
            yield vendors

    @property
    def _checked(self) -> Any:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            given = request.headers.get("Authorization") or request.headers.get("X-Shopify-Access-Token")
            if given not in TOKENS or self.revoked:
                return web.json_response({"message": "Unauthorized"}, status=401)
            if self.statuses:
                return web.json_response({}, status=self.statuses.pop(0), headers={"Retry-After": "1"})
            return await handler(request)

        return check

    async def _shop(self, request: web.Request) -> web.Response:
        return web.json_response({"shop": {"id": 690933842, "name": "Harbour", "domain": "harbour.example"}})

    async def _shopify_hooks(self, request: web.Request) -> web.Response:
        hooks = self.hooks["shopify"]
        if request.method == "POST":
            hook = (await request.json())["webhook"]
            hooks.append({"id": len(hooks) + 1, **hook})
            return web.json_response({"webhook": hooks[-1]}, status=201)
        return web.json_response({"webhooks": hooks})

    async def _drop_shopify(self, request: web.Request) -> web.Response:
        id_ = int(request.match_info["id"])
        self.hooks["shopify"] = [hook for hook in self.hooks["shopify"] if hook["id"] != id_]
        return web.json_response({})

    async def _woo_hooks(self, request: web.Request) -> web.Response:
        hooks = self.hooks["woo"]
        if request.method == "POST":
            hooks.append({"id": len(hooks) + 1, **(await request.json())})
            return web.json_response(hooks[-1], status=201)
        return web.json_response([{k: v for k, v in hook.items() if k != "secret"} for hook in hooks])

    async def _woo_hook(self, request: web.Request) -> web.Response:
        (hook,) = (each for each in self.hooks["woo"] if each["id"] == int(request.match_info["id"]))
        if request.method == "DELETE":
            self.hooks["woo"].remove(hook)
        else:
            hook.update(await request.json())
        return web.json_response(hook)

    async def _assistant(self, request: web.Request) -> web.Response:
        if request.method == "PATCH":
            self.assistant.update(await request.json())
        return web.json_response({"id": request.match_info["id"], "name": "Ada", **self.assistant})

    async def _number(self, request: web.Request) -> web.Response:
        return web.json_response({"id": request.match_info["id"], "number": "+4930123456"})

    async def _call(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response(list(reversed(self.calls)))
        if self.refuse_calls:
            return web.json_response({"message": "customer.number must be a valid phone number"}, status=400)
        call = {"id": f"call-{len(self.calls)}", "type": "outboundPhoneCall", "status": "queued"}
        self.calls.append({**call, **(await request.json())})
        if self.lose_calls:
            self.lose_calls -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(self.calls[-1], status=201)

    async def _portal(self, request: web.Request) -> web.Response:
        return web.json_response({"portalId": 62515, "uiDomain": "app.hubspot.com"})

    async def _objects(self, request: web.Request) -> web.Response:
        body = await request.json()
        ids = [each["id"] for each in body["inputs"]]
        self.reads.append(ids)
        found = [
            {
                **self.objects[id_],
                "id": id_,
                "properties": {
                    name: self.objects[id_]["properties"].get(name) for name in body["properties"]
                },
            }
            for id_ in ids
            if id_ in self.objects
        ]
        status = 200 if len(found) == len(ids) else 207
        return web.json_response({"status": "COMPLETE", "results": found}, status=status)
