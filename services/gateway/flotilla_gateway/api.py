"""The gateway's own pages: the API document, the page to browse it, what each problem means."""

from importlib.resources import files
from typing import Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from flotilla.http import CurrentApp, Routes
from flotilla.problems import NotFoundError
from flotilla.security.permissions import PUBLIC

from flotilla_gateway.gateway import Gateway
from flotilla_gateway.pages import problem_pages

_STATIC: Final = files("flotilla_gateway.pages") / "static"
_ASSETS: Final = {"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8"}
_REVALIDATE: Final = {"cache-control": "no-cache"}

pages = Routes("", tag="pages")


@pages.get("/", permission=PUBLIC, include_in_schema=False)
async def start() -> Response:
    """The page to browse the API, until there is a console."""
    return RedirectResponse("/docs", 307)


@pages.get("/openapi.json", permission=PUBLIC, include_in_schema=False)
async def openapi(request: Request, app: CurrentApp) -> Response:
    """The merged document of all services."""
    gateway: Gateway = app.own
    document = gateway.document
    headers = {**_REVALIDATE, "etag": document.etag, "vary": "accept-encoding"}
    known = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
    if document.etag in known:
        return Response(status_code=304, headers=headers)
    body = document.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = document.compressed
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers, media_type="application/json")


@pages.get("/docs", permission=PUBLIC, include_in_schema=False)
async def docs() -> Response:
    """The page to browse the API with; everything it loads comes from here."""
    return HTMLResponse((_STATIC / "docs.html").read_bytes(), headers=_REVALIDATE)


@pages.get("/docs/{asset}", permission=PUBLIC, include_in_schema=False)
async def docs_asset(asset: str) -> Response:
    """What that page loads."""
    media_type = _ASSETS.get(asset)
    if media_type is None:
        raise NotFoundError("There is no such page.")
    return Response((_STATIC / asset).read_bytes(), headers=_REVALIDATE, media_type=media_type)


@pages.get("/problems", permission=PUBLIC, include_in_schema=False)
async def problems() -> Response:
    """Every problem there is."""
    return HTMLResponse(problem_pages.list_page(), headers=_REVALIDATE)


@pages.get("/problems/{slug}", permission=PUBLIC, include_in_schema=False)
async def problem(slug: str) -> Response:
    """What one problem means: its `type` leads here."""
    found = problem_pages.page(slug)
    if found is None:
        raise NotFoundError("There is no such problem; /problems lists those there are.")
    return HTMLResponse(found, headers=_REVALIDATE)
