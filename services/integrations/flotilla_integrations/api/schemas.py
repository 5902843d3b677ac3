"""What integrations says and takes of accounts."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from flotilla_integrations.adapters.base import Adapter
from flotilla_integrations.domain import Account

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]


class Input(BaseModel):
    """A body; a field that isn't known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class AccountIn(Input):
    """What connects an account; `GET /v1/connectors` says what a connector's settings and credentials are."""

    connector: str = Field(max_length=50)
    name: Name
    settings: dict[str, Any] = Field(default_factory=dict)
    credentials: dict[str, Any] = Field(description="Kept sealed, and never shown again.")


class AccountPatch(Input):
    """What to change; new settings or credentials connect it again."""

    name: Name | None = None
    settings: dict[str, Any] | None = None
    credentials: dict[str, Any] | None = None


class AccountOut(BaseModel):
    """An account, without its credentials."""

    id: UUID
    connector: str
    name: str
    state: Literal["connecting", "connected", "disconnected", "failed"]
    reason: str | None = Field(description="Why it failed.")
    external_id: str | None = Field(description="What the vendor calls it.")
    settings: dict[str, Any]
    hook_url: str | None = Field(
        description="Where the vendor, or your program, sends what comes in; null where nothing does."
    )
    user_id: UUID | None = Field(description="Whose own it is; null where it is the organization's.")
    created_at: datetime
    sequence: int = Field(description="Counts its changes; also its ETag.")

    @classmethod
    def of(cls, account: Account, hook_url: str | None) -> "AccountOut":
        """From its row."""
        shown = {name: getattr(account, name) for name in cls.model_fields if name != "hook_url"}
        return cls(**shown, hook_url=hook_url)


class HealthOut(BaseModel):
    """What the vendor says of an account now."""

    ok: bool
    detail: str
    account: AccountOut


class CapabilitiesOut(BaseModel):
    """What a connector can do."""

    model_config = ConfigDict(from_attributes=True)

    idempotent_send: bool = Field(description="What is asked again under the same key is done once.")
    receipts: bool
    text_limit: int
    syncs: bool = Field(description="What others change at the vendor's is noticed.")
    typing: bool = Field(description="It can show the customer that somebody writes.")


class ConnectorOut(BaseModel):
    """A kind of account that can be connected."""

    connector: str
    title: str
    kind: str = Field(description="`channel`, `calendar`, `voice`, `shop` or `crm`.")
    actions: list[str]
    capabilities: CapabilitiesOut
    config_schema: dict[str, Any] = Field(description="JSON Schema of `settings` and `credentials`.")
    proven_with: str = Field(description="What its tests ran against.")

    @classmethod
    def of(cls, adapter: type[Adapter[Any]]) -> "ConnectorOut":
        """From what the adapter declares."""
        return cls(
            connector=adapter.connector,
            title=adapter.title,
            kind=adapter.kind,
            actions=sorted(adapter.actions),
            capabilities=CapabilitiesOut.model_validate(adapter.capabilities),
            config_schema=adapter.config_type.model_json_schema(),
            proven_with=adapter.proven_with,
        )


class HookAnswer(BaseModel):
    """It is committed."""

    ok: bool = True
