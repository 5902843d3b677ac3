"""/v1/me/avatar and /v1/users/{user_id}/avatar: pictures of people, for who is in their organization."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import (
    NotFoundError,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    is_known,
    set_etag,
)
from flotilla.http.bodies import file_answer, raw_body
from flotilla.problems import TooLargeError
from flotilla.store.postgres import Transaction

from flotilla_auth import avatars
from flotilla_auth.api.me import OWN_AVATAR, MeView, there, view
from flotilla_auth.domain.pictures import MEDIA_TYPE, MOST_BYTES, NoPictureError
from flotilla_auth.resources import own
from flotilla_auth.store import users

own_routes = Routes(OWN_AVATAR, tag="me")
routes = Routes("/v1/users/{user_id}/avatar", tag="users")

SENT: Final = {**raw_body("image/png"), **raw_body("image/jpeg"), **raw_body("image/webp")}
GIVEN: Final = file_answer(MEDIA_TYPE, description="The picture, 256 × 256.")
GUARDS: Final = {
    # By the caller's own browser, for as long as they are who they are: another picture has another address.
    "Cache-Control": "private, max-age=3600",
    "Vary": "Authorization, Cookie, X-Api-Key",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
Version = Annotated[
    int | None,
    Query(ge=1, description="Of `avatar_url`: makes the address another one with another picture."),
]


@own_routes.put("", permission="profile:write", limit="dear", sent=SENT)
async def change_avatar(request: Request, work: Work, who: Who, response: Response) -> MeView:
    """Give oneself a picture: a PNG, JPEG or WebP, by its bytes, of at most 1 MiB and nine million pixels.

    Its middle is drawn anew at 256 × 256, so where and with what it was taken is not in it. `If-Match` is of the
    picture that there was.
    """
    sent = await _received(request)
    try:
        picture = await own(work.app).drawing.drawn(sent)
    except NoPictureError as error:
        raise UnprocessableError(str(error)) from None
    tx = await work.begin(sent)
    before = there(await users.lock(tx, who.org, who.user_id))
    check_if_match(request, before.avatar_version or 0)
    return await view(tx, await avatars.give(tx, before, picture), response)


@own_routes.delete("", permission="profile:write", status_code=204)
async def remove_avatar(tx: Tx, who: Who, request: Request) -> None:
    """Have no picture any more; so it is for who had none."""
    before = there(await users.lock(tx, who.org, who.user_id))
    check_if_match(request, before.avatar_version or 0)
    if before.avatar_version is not None:
        await avatars.take(tx, before)


@own_routes.get("", permission="profile:read", response_class=Response, responses=GIVEN)
async def read_own_avatar(tx: Tx, who: Who, request: Request, v: Version = None) -> Response:
    """One's own picture; 304 where `If-None-Match` says that it is known."""
    return await _given(tx, who.org, who.user_id, request)


@routes.get("", permission="users:read", response_class=Response, responses=GIVEN)
async def read_avatar(user_id: UUID, tx: Tx, who: Who, request: Request, v: Version = None) -> Response:
    """A colleague's picture: the one there is, whatever `v` says; 304 where `If-None-Match` says that it is known."""
    return await _given(tx, who.org, user_id, request)


async def _given(tx: Transaction, organization_id: UUID, user_id: UUID, request: Request) -> Response:
    avatar = await avatars.read(tx, organization_id, user_id)
    if avatar is None:
        raise NotFoundError("There is no picture of such a person in your organization.")
    if is_known(request, avatar.version):
        answer = Response(status_code=304, headers=GUARDS)
    else:
        answer = Response(avatar.picture, media_type=MEDIA_TYPE, headers=GUARDS)
    set_etag(answer, avatar.version)
    return answer


async def _received(request: Request) -> bytes:
    """The body, as it comes; a 413 problem as soon as it is too long. No transaction waits for it."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise TooLargeError(f"An image has at most {MOST_BYTES} bytes: send a smaller one.")
    return bytes(body)
