"""Avatars: each person's own in each organization, sealed to them, and part of what somebody is given of themselves."""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from flotilla.app import App
from flotilla.events.auth import UserUpdated
from flotilla.store.postgres import Transaction

from flotilla_auth import events
from flotilla_auth.domain.entities import User
from flotilla_auth.domain.pictures import MEDIA_TYPE
from flotilla_auth.store import avatars as store
from flotilla_auth.store import users

GIVEN_AT_ONCE: Final = 20


class Avatar(NamedTuple):
    """A picture, and which of the person's states brought it."""

    version: int
    picture: bytes


def place(organization_id: UUID, user_id: UUID) -> bytes:
    """What a sealed picture is tied to."""
    return b"avatar:" + bytes(organization_id.bytes) + bytes(user_id.bytes)


async def give(tx: Transaction, before: User, picture: bytes) -> User:
    """They have this one from now on, which is told; `before` is held."""
    whose = (before.organization_id, before.id)
    await store.keep(tx, *whose, tx.app.keyring.seal(picture, place(*whose)))
    return await _told(tx, before, has=True)


async def take(tx: Transaction, before: User) -> User:
    """They have none from now on, which is told; `before` is held."""
    await store.remove(tx, before.organization_id, before.id)
    return await _told(tx, before, has=False)


async def read(tx: Transaction, organization_id: UUID, user_id: UUID) -> Avatar | None:
    """Theirs; None where they have none, or are not of this organization."""
    row = await store.read(tx, organization_id, user_id)
    if row is None:
        return None
    return Avatar(row["version"], tx.app.keyring.open(row["sealed_picture"], place(organization_id, user_id)))


async def documents(
    app: App, org: UUID, people: Sequence[UUID] | None
) -> AsyncIterator[tuple[str, list[Any]]]:
    """For an export: pictures of these people, or of all, some at a time."""
    after = UUID(int=0)
    while True:
        async with app.db.transaction(org) as tx:
            rows = await store.after(tx, org, after, people, GIVEN_AT_ONCE)
        if rows:
            after = rows[-1]["user_id"]
            yield "avatar_pictures", [_document(app, org, **row) for row in rows]
        if len(rows) < GIVEN_AT_ONCE:
            return


def _document(app: App, org: UUID, user_id: UUID, sealed_picture: bytes) -> dict[str, Any]:
    picture = app.keyring.open(sealed_picture, place(org, user_id))
    return {"user_id": user_id, "media_type": MEDIA_TYPE, "base64": base64.b64encode(picture).decode()}


async def _told(tx: Transaction, before: User, *, has: bool) -> User:
    now = await users.has_avatar(tx, before, has)
    events.user(tx, UserUpdated, now, before)
    return now
