"""VAPI: calls that an assistant makes and takes (docs.vapi.ai/server-url, docs.vapi.ai/api-reference/calls)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from flotilla.problems import UnauthorizedError, UnprocessableError
from pydantic import Field, SecretStr

from flotilla_integrations.adapters import voice
from flotilla_integrations.adapters.base import (
    Action,
    Adapter,
    Capabilities,
    Config,
    Connection,
    Health,
    HookRequest,
    Intake,
    Part,
    RefusedError,
)
from flotilla_integrations.adapters.vendor import ask, decoded, same
from flotilla_integrations.adapters.voice import CallReport, FindCall, FoundCall, PlaceCall, PlacedCall

NAME: Final = "VAPI"
SECRET_HEADER: Final = "x-vapi-secret"  # noqa: S105 - the name of a header
OURS: Final = "flotilla_call_id"
LISTED: Final = 100
REPORT: Final = "end-of-call-report"


class Customer(msgspec.Struct, frozen=True):
    """Who is called, or calls."""

    number: str | None = None


class Call(msgspec.Struct, frozen=True, rename="camel"):
    """The call as every message has it."""

    id: str
    type: str = ""
    customer: Customer | None = None
    metadata: dict[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Artifact(msgspec.Struct, frozen=True, rename="camel"):
    """What was made of it."""

    transcript: str | None = None
    recording_url: str | None = None


class Analysis(msgspec.Struct, frozen=True):
    """What was made of what was said."""

    summary: str | None = None


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """An end-of-call-report."""

    call: Call
    ended_reason: str = "unknown"
    customer: Customer | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    cost: Decimal | None = None
    artifact: Artifact = Artifact()
    analysis: Analysis = Analysis()
    transcript: str | None = None
    recording_url: str | None = None


class VapiSettings(Part):
    """Who speaks, and from which number."""

    assistant_id: Annotated[str, Field(min_length=1, max_length=100)]
    phone_number_id: Annotated[str, Field(min_length=1, max_length=100)]


class VapiCredentials(Part):
    """Of the organization at VAPI."""

    api_key: Annotated[SecretStr, Field(min_length=8, description="The private key.")]


class VapiConfig(Config):
    """A telephone."""

    settings: VapiSettings
    credentials: VapiCredentials


class Vapi(Adapter[VapiConfig]):
    """One assistant at one number."""

    connector: ClassVar[str] = "vapi"
    title: ClassVar[str] = "VAPI telephone"
    kind: ClassVar[str] = voice.VOICE
    config_type: ClassVar[type[Config]] = VapiConfig
    capabilities: ClassVar[Capabilities] = Capabilities()
    actions: ClassVar[Mapping[str, Action]] = voice.ACTIONS
    proven_with: ClassVar[str] = "a local exchange in the form that VAPI documents"

    async def connect(self, config: VapiConfig) -> Connection:
        """The key must know the assistant, which is told where to send its reports and with what secret."""
        self.use(config)
        server = {"url": self.around.hook_url, "secret": self.around.hook_secret}
        found = await self._ask(
            "PATCH",
            f"assistant/{config.settings.assistant_id}",
            {"server": server, "serverMessages": [REPORT]},
        )
        await self._ask("GET", f"phone-number/{config.settings.phone_number_id}")
        return Connection(external_id=config.settings.phone_number_id, name=(found or {}).get("name"))

    async def disconnect(self) -> None:
        """The assistant reports to nobody any more."""
        await self._ask(
            "PATCH", f"assistant/{self.config.settings.assistant_id}", {"server": None, "serverMessages": []}
        )

    async def execute(self, action: str, data: Any) -> Any:
        """Place a call, or find one."""
        match action, data:
            case voice.PLACE_CALL, PlaceCall():
                return await self._place(data)
            case voice.FIND_CALL, FindCall():
                return await self._find(data)
        raise ValueError(f"VAPI has no action {action}")

    async def webhook(self, event: HookRequest) -> Intake:
        """The report at the end of a call; what else an assistant tells is of no use here."""
        if not same(event.headers.get(SECRET_HEADER), self.around.hook_secret):
            raise UnauthorizedError("The secret is not the one that this account's assistant was given.")
        body = decoded(event.body)
        message = body.get("message") if isinstance(body, dict) else None
        if not isinstance(message, dict) or message.get("type") != REPORT:
            return Intake(unsupported="message")
        try:
            report = msgspec.convert(message, Report, strict=False)
        except msgspec.ValidationError as error:
            raise UnprocessableError(f"This is no report of a call: {error}") from None
        return Intake(calls=(_report(report, event.received_at),))

    async def health(self) -> Health:
        """Whether the key is good and the assistant reports to us."""
        found = await self._ask("GET", f"assistant/{self.config.settings.assistant_id}")
        ours = ((found or {}).get("server") or {}).get("url") == self.around.hook_url
        return Health(
            ours, "Calls are reported." if ours else "The assistant reports elsewhere: connect it again."
        )

    async def _place(self, wanted: PlaceCall) -> PlacedCall:
        settings = self.config.settings
        customer = {"number": wanted.number, **({"name": wanted.name} if wanted.name else {})}
        body = {
            "assistantId": wanted.assistant or settings.assistant_id,
            "phoneNumberId": settings.phone_number_id,
            "customer": customer,
            "metadata": {OURS: str(wanted.call_id)},
        }
        found = await self._ask("POST", "call", body)
        if not isinstance(found, dict) or not isinstance(found.get("id"), str):
            raise RefusedError("VAPI did not say which call it is.")
        return PlacedCall(external_id=found["id"])

    async def _find(self, wanted: FindCall) -> FoundCall:
        """Among the latest of this number: VAPI has no key of idempotence, but keeps what we wrote on a call."""
        query = {
            "phoneNumberId": self.config.settings.phone_number_id,
            "createdAtGe": wanted.since.isoformat(),
            "limit": LISTED,
        }
        for call in await self._ask("GET", f"call?{urlencode(query)}") or ():
            if (call.get("metadata") or {}).get(OURS) == str(wanted.call_id):
                return FoundCall(external_id=call["id"])
        return FoundCall(external_id=None)

    async def _ask(self, method: str, path: str, json: Any = None) -> Any:
        key = self.config.credentials.api_key.get_secret_value()
        return await ask(
            self.around.vendor_http,
            NAME,
            method,
            f"{self.around.settings.vapi_address}/{path}",
            headers={"Authorization": f"Bearer {key}"},
            json=json,
        )


def _report(report: Report, received_at: datetime) -> CallReport:
    call = report.call
    started, ended = report.started_at or call.started_at, report.ended_at or call.ended_at or received_at
    seconds = report.duration_seconds
    if seconds is None:
        seconds = (ended - started).total_seconds() if started else 0.0
    customer = call.customer or report.customer
    return CallReport(
        external_id=call.id,
        call_id=_ours(call.metadata),
        outbound=call.type.startswith("outbound"),
        number=customer.number if customer else None,
        ended_reason=report.ended_reason[:200],
        started_at=started,
        ended_at=ended,
        duration_seconds=max(0, round(seconds)),
        cost_usd=report.cost,
        summary=report.analysis.summary,
        transcript=report.artifact.transcript or report.transcript,
        recording_url=report.artifact.recording_url or report.recording_url,
    )


def _ours(metadata: dict[str, Any] | None) -> UUID | None:
    try:
        return UUID(str((metadata or {}).get(OURS)))
    except ValueError:
        return None


ADAPTER = Vapi
