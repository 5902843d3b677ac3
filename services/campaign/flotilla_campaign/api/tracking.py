"""/v1/track: what people do with messages. Nobody is signed in; a link proves itself.

Links are made by Flotilla and signed; they hold no address, so that none can be led elsewhere. Their rate is limited by
link, not by caller: mail providers fetch for many people from one address.
"""

from typing import Annotated

from fastapi import Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from flotilla.cause import Cause
from flotilla.http import CurrentApp, NotFoundError, Routes
from flotilla.http.bodies import file_answer

from flotilla_campaign import touching
from flotilla_campaign.api.pages import asked, done
from flotilla_campaign.domain.tracking import Kind, Token
from flotilla_campaign.own import bound

routes = Routes("/v1/track", tag="tracking")

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""One transparent pixel, GIF 89a."""
PRIVATE = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
Written = Annotated[str, Path(max_length=200, description="As it stands in the message.")]


@routes.get(
    "/o/{token}",
    permission="public",
    limit="hook",
    response_class=Response,
    responses=file_answer("image/gif", description="A picture of one point."),
)
async def track_open(token: Written, request: Request, app: CurrentApp) -> Response:
    """The picture of a message. The first time is told as `mail.opened`, the others are counted."""
    found = _read(app, token.removesuffix(".gif"), Kind.OPEN)
    async with app.db.transaction(found.org, cause=Cause.fresh()) as tx:
        await touching.opened(tx, found, request.headers)
    return Response(GIF, media_type="image/gif", headers=PRIVATE)


@routes.get("/c/{token}", permission="public", limit="hook", response_class=RedirectResponse, status_code=302)
async def track_click(token: Written, request: Request, app: CurrentApp) -> Response:
    """A link of a message: on to where it leads, and nowhere else. The first time is told as `mail.clicked`."""
    found = _read(app, token, Kind.CLICK)
    async with app.db.transaction(found.org, cause=Cause.fresh()) as tx:
        target = await touching.followed(tx, found, request.headers)
    if target is None:
        raise NotFoundError("This link leads nowhere any more.")
    return RedirectResponse(target, 302, headers=PRIVATE)


@routes.get("/u/{token}", permission="public", limit="hook", response_class=HTMLResponse)
async def ask_unsubscribe(token: Written, request: Request, app: CurrentApp) -> Response:
    """A page that asks whether they mean it: programs that follow links unsubscribe nobody."""
    _read(app, token, Kind.UNSUBSCRIBE)
    return HTMLResponse(asked(request.headers.get("accept-language", "")), headers=PRIVATE)


@routes.post("/u/{token}", permission="public", limit="hook", response_class=HTMLResponse)
async def unsubscribe_by_link(token: Written, request: Request, app: CurrentApp) -> Response:
    """They want no more: the page's button, and a mail program's one click (RFC 8058). Once is enough."""
    found = _read(app, token, Kind.UNSUBSCRIBE)
    async with app.db.transaction(found.org, cause=Cause.fresh()) as tx:
        there = await touching.unsubscribed(tx, found)
    if not there:
        raise NotFoundError("There is no such message.")
    return HTMLResponse(done(request.headers.get("accept-language", "")), headers=PRIVATE)


def _read(app: CurrentApp, written: str, kind: Kind) -> Token:
    token = bound(app).links.read(written, kind)
    if token is None:
        raise NotFoundError("There is no such link.")
    return token
