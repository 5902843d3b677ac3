"""/v1/me/passkeys and /v1/step-up/passkey: the caller's own.

Each takes two requests: the first gives what the browser hands to the authenticator (`public_key`), the second takes
its answer. What is given is good once, within five minutes.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from flotilla.app import App
from flotilla.http import NotFoundError, Routes, Tx, Who, Work, check_if_match, set_etag
from flotilla.http.bodies import Patch
from pydantic import BaseModel

from flotilla_auth import ownership, passkeys, sessions
from flotilla_auth.api.fields import Body, Name, NewCredential
from flotilla_auth.api.me import there
from flotilla_auth.api.requests import FromDevice, NoStore
from flotilla_auth.domain.devices import device_name
from flotilla_auth.domain.passkeys import Passkey
from flotilla_auth.store import credentials, users
from flotilla_auth.store import passkeys as store
from flotilla_auth.store import sessions as session_store
from flotilla_auth.store.sessions import Device

routes = Routes("/v1", tag="me")


class PublicKeyView(BaseModel):
    """What a browser takes: `PublicKeyCredential.parseCreationOptionsFromJSON(public_key)` where a passkey is made,
    `parseRequestOptionsFromJSON` where one signs; then `navigator.credentials.create` or `.get`."""

    public_key: dict[str, Any]


class NewPasskey(Body):
    """The authenticator's answer, and what to call it; by default after the browser it was made with."""

    credential: NewCredential
    name: Name | None = None

    def called(self, device: Device) -> str:
        """Its name."""
        return self.name or device_name(device.user_agent)


class PasskeyChange(Patch):
    """What its owner calls it."""

    name: Name | None = None


class PasskeyView(BaseModel):
    """One of the caller's."""

    id: UUID
    name: str
    transports: list[str]
    """How browsers reach it: of `ble`, `cable`, `hybrid`, `internal`, `nfc`, `smart-card`, `usb`."""
    backed_up: bool
    """Whether its maker's cloud keeps it."""
    made_at: datetime
    used_at: datetime | None
    refused_since: datetime | None
    """Since when it is refused, because a copy of it was used; remove it, and add another."""

    @classmethod
    def of(cls, app: App, passkey: Passkey) -> "PasskeyView":
        """As its owner sees it."""
        return cls(
            id=passkey.id,
            name=passkeys.name_of(app, passkey),
            transports=passkey.transports,
            backed_up=passkey.backed_up,
            made_at=passkey.made_at,
            used_at=passkey.used_at,
            refused_since=passkey.cloned_at,
        )


class PasskeysView(BaseModel):
    """All of them: twenty at most."""

    items: list[PasskeyView]


class AddedPasskeyView(BaseModel):
    """A new one."""

    passkey: PasskeyView
    recovery_codes: list[str]
    """Of who had no second factor before: shown this once."""


@routes.get("/me/passkeys", permission="profile:read")
async def list_passkeys(tx: Tx, who: Who) -> PasskeysView:
    """The caller's, in the order they came."""
    return PasskeysView(items=[PasskeyView.of(tx.app, each) for each in await store.list_of(tx, who.user_id)])


@routes.post("/me/passkeys", permission="profile:write", recent=True, dependencies=[NoStore])
async def begin_passkey(work: Work, who: Who) -> PublicKeyView:
    """Begin to add one: it will sign in without a password, and be a second factor.

    403 `email-unverified` before the caller's address is known to be theirs.
    """
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await ownership.check(tx, who, mine)
        user = there(await users.read(tx, who.org, who.user_id))
    bound_to = who.session_id.bytes
    return PublicKeyView(public_key=await passkeys.offer(work.app, passkeys.REGISTER, user, bound_to))


@routes.post(
    "/me/passkeys/complete",
    permission="profile:write",
    status_code=201,
    recent=True,
    dependencies=[NoStore],
)
async def complete_passkey(
    body: NewPasskey, work: Work, who: Who, device: FromDevice, response: Response
) -> AddedPasskeyView:
    """Add it. Where it is the caller's first second factor, every other session of theirs ends.

    422 where it does not answer what was asked, 409 where it is registered already.
    """
    app = work.app
    proof = (body.credential.plain(), who.session_id.bytes)
    key = await passkeys.made(app, passkeys.REGISTER, who.user_id, *proof)
    mine = await credentials.memberships(app.db, who.user_id)
    async with app.db.transaction(mine, cause=work.cause) as tx:
        await ownership.check(tx, who, mine)
        passkey, codes = await passkeys.add(tx, mine, who.org, who.user_id, body.called(device), key)
        if codes:
            reason = "second_factor_changed"
            await sessions.end_everywhere(tx, mine, who.user_id, reason, but=who.session_id)
        await session_store.authenticate(tx, who.org, who.session_id, 2)
    response.headers["Location"] = f"/v1/me/passkeys/{passkey.id}"
    return AddedPasskeyView(passkey=PasskeyView.of(app, passkey), recovery_codes=codes)


@routes.get("/me/passkeys/{passkey_id}", permission="profile:read")
async def read_passkey(passkey_id: UUID, tx: Tx, who: Who, response: Response) -> PasskeyView:
    """One of the caller's."""
    return _view(tx.app, _theirs(await store.read(tx, who.user_id, passkey_id)), response)


@routes.patch("/me/passkeys/{passkey_id}", permission="profile:write")
async def change_passkey(
    passkey_id: UUID, body: PasskeyChange, work: Work, who: Who, request: Request, response: Response
) -> PasskeyView:
    """Call it otherwise."""
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        passkey = _theirs(await store.read(tx, who.user_id, passkey_id))
        check_if_match(request, passkey.sequence)
        if body.name is not None:
            passkey = await passkeys.rename(tx, mine, who.user_id, passkey, body.name)
    return _view(work.app, passkey, response)


@routes.delete("/me/passkeys/{passkey_id}", permission="profile:write", status_code=204, recent=True)
async def remove_passkey(passkey_id: UUID, work: Work, who: Who) -> None:
    """Remove it; every other session of the caller ends. Recovery codes go with the last factor.

    409 where it is the last, and an organization of the caller demands one.
    """
    mine = await credentials.memberships(work.app.db, who.user_id)
    async with work.app.db.transaction(mine, cause=work.cause) as tx:
        await passkeys.remove(tx, mine, who.org, who.user_id, passkey_id)
        await sessions.end_everywhere(tx, mine, who.user_id, "second_factor_changed", but=who.session_id)


@routes.post("/step-up/passkey", permission="profile:write", limit="sign_in", dependencies=[NoStore])
async def begin_step_up(work: Work, who: Who) -> PublicKeyView:
    """Begin to prove anew who one is, with a passkey; POST /v1/step-up ends it. 409 where the caller has none."""
    asked = await passkeys.ask(work.app, passkeys.STEP_UP, who.user_id, who.session_id.bytes)
    return PublicKeyView(public_key=asked)


def _theirs(passkey: Passkey | None) -> Passkey:
    if passkey is None:
        raise NotFoundError("You have no such passkey.")
    return passkey


def _view(app: App, passkey: Passkey, response: Response) -> PasskeyView:
    set_etag(response, passkey.sequence)
    return PasskeyView.of(app, passkey)
