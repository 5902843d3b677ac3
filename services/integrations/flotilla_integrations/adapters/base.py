"""The protocol of adapters (INT-1): how Flotilla speaks with a kind of channel.

An adapter object speaks for one account. `connect` proves a configuration with the vendor; `use` takes one that
was proven. `execute` does one of the declared actions, `webhook` reads what the vendor sent, `health` asks how the
account is. Nothing here runs in a transaction.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar
from uuid import UUID

import msgspec
from flotilla.events.integrations import SenderProfile
from flotilla.outside_http import OutsideHttp
from flotilla.problems import NotFoundError
from pydantic import BaseModel, ConfigDict

from flotilla_integrations.settings import IntegrationsSettings

if TYPE_CHECKING:
    from flotilla_integrations.adapters.crm import RecordNotice
    from flotilla_integrations.adapters.shop import Order
    from flotilla_integrations.adapters.voice import CallReport

SEND_MESSAGE: Final = "send_message"
SHOW_TYPING: Final = "show_typing"
CHANNEL: Final = "channel"
"""The kind of connector through which people write."""


class Part(BaseModel):
    """Settings or credentials of an account, as its organization gives them; secrets are `SecretStr`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Config(Part):
    """The whole of it. A subclass says what its `settings` and `credentials` are; the latter are never shown."""

    settings: Part
    credentials: Part


ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do, and so what Flotilla may rely on."""

    idempotent_send: bool = False
    """What is repeated under its key is done once: where an answer was lost, it is simply asked again."""
    receipts: bool = False
    """It says when a message was delivered or read."""
    text_limit: int = 0
    """Characters of one message; of a channel."""
    syncs: bool = False
    """What others change at the vendor's is noticed."""
    typing: bool = False
    """It can show the customer that somebody writes."""


class SendMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `send_message`. `message_id` is the key of its idempotence."""

    message_id: UUID
    chat: str
    text: str


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `send_message`: the channel took it."""

    external_id: str | None
    sent_at: datetime


class ShowTyping(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `show_typing`: for a few seconds, the customer sees that somebody is writing."""

    chat: str


class TypingShown(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `show_typing`."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something an adapter can be asked to do."""

    data: type[msgspec.Struct]
    result: type[msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Connection:
    """What connecting found out: the vendor's own id and name of the account."""

    external_id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether messages come and go, and what is wrong where they don't."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What a vendor sent to an account's hook; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A customer's message."""

    external_id: str
    chat: str
    sender: SenderProfile
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message of ours was `delivered` or `read`."""

    message_id: UUID
    receipt: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Intake:
    """What a webhook brought."""

    messages: tuple[InboundMessage, ...] = ()
    typing: str | None = None
    """The address of a customer who is writing."""
    receipts: tuple[Receipt, ...] = ()
    orders: "tuple[Order, ...]" = ()
    deleted_orders: tuple[str, ...] = ()
    """The shop's own ids."""
    calls: "tuple[CallReport, ...]" = ()
    records: "tuple[RecordNotice, ...]" = ()
    unsupported: str | None = None
    """The kind of what Flotilla does not take yet: acknowledged and counted."""


class AdapterError(Exception):
    """An action failed; its words are for people to read, and hold no secret."""


class RefusedError(AdapterError):
    """The channel refused this, and would again."""


class AccountRefusedError(RefusedError):
    """The channel refuses the account: its credentials are good no more."""


class GoneError(RefusedError):
    """The channel knows the person no more, or they want nothing from this account: a bounce."""


class NotReachedError(AdapterError):
    """The channel was not reached: nothing was done, it may be tried again."""


class UnconfirmedError(AdapterError):
    """The channel may have done it; its answer is lost."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter is given to work with."""

    account_id: UUID
    hook_url: str
    """Where the vendor reaches this account."""
    hook_secret: str
    """Made by us for this account; for vendors that repeat a secret of ours."""
    settings: IntegrationsSettings
    vendor_http: OutsideHttp
    """For vendors' addresses, which the operator sets."""
    customer_http: OutsideHttp
    """For addresses that organizations give: refuses private ones."""
    external_id: str | None = None
    """What connecting found: the vendor's own id of the account."""


class Adapter(ABC, Generic[ConfigT]):
    """One account of one kind of channel."""

    connector: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[str] = CHANNEL
    takes_hooks: ClassVar[bool] = True
    """Whether its vendor sends us anything."""
    config_type: ClassVar[type[Config]]
    capabilities: ClassVar[Capabilities]
    actions: ClassVar[Mapping[str, Action]] = {SEND_MESSAGE: Action(SendMessage, SentMessage)}
    proven_with: ClassVar[str]
    """What its tests ran against (INT-14): the vendor's own server, SDK, schema, or a simulator."""

    config: ConfigT

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    def use(self, config: ConfigT) -> None:
        """Go on with a configuration that was proven before."""
        self.config = config

    @abstractmethod
    async def connect(self, config: ConfigT) -> Connection:
        """Prove the configuration with the vendor and have it send to the hook; safe to repeat."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Have the vendor send nothing more; safe to repeat."""

    @abstractmethod
    async def execute(self, action: str, data: Any) -> Any:
        """Do one of `actions`: its result. AdapterError says what went wrong; RetryLater, when to come back."""

    async def webhook(self, event: HookRequest) -> Intake:
        """Read what the vendor sent; a 401 problem where it is forged, 400 or 422 where it is malformed."""
        raise NotFoundError("Nothing comes in to this account.")

    @abstractmethod
    async def health(self) -> Health:
        """Ask the vendor how the account is. AccountRefusedError where it is refused."""
