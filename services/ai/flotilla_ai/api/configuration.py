"""An organization's choice of provider over HTTP."""

from datetime import datetime
from typing import Literal, cast

from fastapi import Request, Response
from flotilla.http import (
    CurrentApp,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.store.postgres import Row
from pydantic import BaseModel, Field, SecretStr

from flotilla_ai.api.inputs import Input, Plain
from flotilla_ai.library import announce
from flotilla_ai.providers.directory import key_place
from flotilla_ai.providers.network import refusal_of
from flotilla_ai.settings import AiSettings
from flotilla_ai.store import settings as store

configuration = Routes("/v1/ai", tag="ai settings")


class SettingsIn(Input):
    """Who drafts replies, and how they sound."""

    provider: Literal["local", "openai_compatible"] = "local"
    base_url: Plain | None = Field(default=None, max_length=500, description="Up to and with `/v1`.")
    model: Plain | None = Field(default=None, max_length=200)
    api_key: SecretStr | None = Field(
        default=None,
        max_length=500,
        description="Never shown again. Left out: the one that is there stays, unless the address changes.",
    )
    tone: Literal["friendly", "formal"] = "friendly"


class SettingsOut(BaseModel):
    """Who drafts replies, and how they sound."""

    provider: Literal["local", "openai_compatible"] = "local"
    base_url: str | None = None
    model: str | None = None
    has_api_key: bool = False
    tone: Literal["friendly", "formal"] = "friendly"
    updated_at: datetime | None = None
    updated_by: str | None = None

    @classmethod
    def of(cls, row: Row) -> "SettingsOut":
        """A row."""
        return cls.model_validate({**row, "has_api_key": row["sealed_api_key"] is not None})


@configuration.get("/settings", permission="ai:configure")
async def read_ai_settings(tx: Tx, who: Who, response: Response) -> SettingsOut:
    """The organization's settings."""
    row = (await store.read(tx, [who.org])).get(who.org)
    set_etag(response, row["sequence"] if row else 0)
    return SettingsOut.of(row) if row else SettingsOut()


@configuration.put("/settings", permission="ai:configure")
async def change_ai_settings(
    settings: SettingsIn, request: Request, response: Response, app: CurrentApp, tx: Tx, who: Who
) -> SettingsOut:
    """Set all of them."""
    _check(settings, cast(AiSettings, app.settings))
    before = await store.lock(tx, who.org)
    check_if_match(request, before["sequence"] if before else 0)
    row = await store.save(
        tx,
        who.org,
        provider=settings.provider,
        base_url=settings.base_url,
        model=settings.model,
        sealed_api_key=_key(settings, before, who, app),
        tone=settings.tone,
        by=who.actor,
    )
    await announce(tx, who.org)
    set_etag(response, row["sequence"])
    shown = SettingsOut.of(row)
    given = {"api_key_given": True} if settings.api_key is not None else {}
    note_change(SettingsOut.of(before) if before else SettingsOut(), shown.model_dump() | given)
    return shown


def _check(settings: SettingsIn, own: AiSettings) -> None:
    if settings.provider == "local":
        return
    errors = []
    if not settings.base_url:
        errors.append({"pointer": "/base_url", "detail": "A hosted provider has an address."})
    elif refusal := refusal_of(settings.base_url, private=own.ai_private_providers):
        errors.append({"pointer": "/base_url", "detail": refusal})
    if not settings.model:
        errors.append({"pointer": "/model", "detail": "Name the model to ask."})
    if errors:
        raise UnprocessableError("Correct the values named in `errors`.", errors=errors)


def _key(settings: SettingsIn, before: Row | None, who: Who, app: CurrentApp) -> bytes | None:
    """The new key sealed, or the one there is; never a key for another address than it was given for."""
    if settings.api_key is not None:
        secret = settings.api_key.get_secret_value()
        return app.keyring.seal(secret.encode(), key_place(who.org)) if secret else None
    same = before is not None and before["base_url"] == settings.base_url
    sealed: bytes | None = before["sealed_api_key"] if before is not None and same else None
    return sealed
