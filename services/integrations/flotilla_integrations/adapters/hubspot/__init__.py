"""HubSpot: contacts, companies and deals that change there (developers.hubspot.com, webhooks and CRM objects v3)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import unquote

import msgspec
from flotilla.problems import UnauthorizedError, UnprocessableError
from pydantic import Field, SecretStr

from flotilla_integrations.adapters import crm
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
    UnconfirmedError,
)
from flotilla_integrations.adapters.crm import ReadRecord, ReadRecords, RecordNotice, RecordsRead
from flotilla_integrations.adapters.vendor import ask, decoded, same, signature

NAME: Final = "HubSpot"
WINDOW: Final = timedelta(minutes=5)
TYPES: Final = {"contact": "contacts", "company": "companies", "deal": "deals"}
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "contact": ("firstname", "lastname", "email", "phone", "company", "lifecyclestage"),
    "company": ("name", "domain", "phone", "city", "country", "industry"),
    "deal": ("dealname", "amount", "dealstage", "pipeline", "closedate"),
}
FieldName = Annotated[str, Field(pattern=re.compile(r"^[a-z][a-z0-9_]{0,99}$").pattern)]


class ChangeIn(msgspec.Struct, frozen=True, rename="camel"):
    """One of the up to a hundred events of a webhook."""

    subscription_type: str
    object_id: int
    occurred_at: int
    portal_id: int = 0


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """An object of the CRM."""

    id: str
    properties: dict[str, str | None]
    updated_at: datetime
    archived: bool = False


class Batch(msgspec.Struct, frozen=True):
    """The answer to a batch read; what is not there is left out, with status 207."""

    results: list[Result]


class HubspotSettings(Part):
    """What is read of each record beside its usual fields."""

    contact_fields: Annotated[tuple[FieldName, ...], Field(max_length=50)] = ()
    company_fields: Annotated[tuple[FieldName, ...], Field(max_length=50)] = ()
    deal_fields: Annotated[tuple[FieldName, ...], Field(max_length=50)] = ()


class HubspotCredentials(Part):
    """Of a private app of the portal's, whose webhooks are pointed to the account's hook there."""

    access_token: Annotated[SecretStr, Field(min_length=8)]
    client_secret: Annotated[SecretStr, Field(min_length=8, description="Webhooks are signed with it.")]


class HubspotConfig(Config):
    """A portal."""

    settings: HubspotSettings = HubspotSettings()
    credentials: HubspotCredentials


class Hubspot(Adapter[HubspotConfig]):
    """One portal."""

    connector: ClassVar[str] = "hubspot"
    title: ClassVar[str] = "HubSpot CRM"
    kind: ClassVar[str] = crm.CRM
    config_type: ClassVar[type[Config]] = HubspotConfig
    capabilities: ClassVar[Capabilities] = Capabilities(idempotent_send=True, syncs=True)
    actions: ClassVar[Mapping[str, Action]] = crm.ACTIONS
    proven_with: ClassVar[str] = "a local exchange in the form that HubSpot documents"

    async def connect(self, config: HubspotConfig) -> Connection:
        """The token must be good; which portal it is of comes with it."""
        self.use(config)
        found = await self._ask("GET", "account-info/v3/details")
        return Connection(external_id=str(found["portalId"]), name=found.get("uiDomain"))

    async def disconnect(self) -> None:
        """Webhooks are switched off in the app itself."""

    async def execute(self, action: str, data: Any) -> RecordsRead:
        """Read records."""
        if action != crm.READ_RECORDS or not isinstance(data, ReadRecords):
            raise ValueError(f"HubSpot has no action {action}")
        extra = getattr(self.config.settings, f"{data.object_type}_fields")
        body = {
            "properties": sorted({*FIELDS[data.object_type], *extra}),
            "inputs": [{"id": id_} for id_ in data.external_ids],
        }
        path = f"crm/v3/objects/{TYPES[data.object_type]}/batch/read"
        try:
            found = msgspec.convert(await self._ask("POST", path, body), Batch)
        except msgspec.ValidationError:
            raise UnconfirmedError("HubSpot answered in a way that cannot be read.") from None
        return RecordsRead(
            records=tuple(
                ReadRecord(
                    external_id=each.id,
                    fields={name: each.properties.get(name) for name in body["properties"]},
                    updated_at=each.updated_at,
                    archived=each.archived,
                )
                for each in found.results
            )
        )

    async def webhook(self, event: HookRequest) -> Intake:
        """Changes of records; of those that Flotilla does not know, nothing."""
        self._verify(event)
        try:
            changes = msgspec.convert(decoded(event.body), list[ChangeIn])
        except msgspec.ValidationError as error:
            raise UnprocessableError(f"This is no webhook of HubSpot's: {error}") from None
        portal = self.around.external_id
        notices = tuple(
            _notice(change)
            for change in changes
            if change.subscription_type.split(".")[0] in TYPES and portal in (None, str(change.portal_id))
        )
        return Intake(records=notices) if notices else Intake(unsupported="subscription")

    async def health(self) -> Health:
        """Whether the token is good."""
        await self._ask("GET", "account-info/v3/details")
        return Health(True, "HubSpot answers.")

    def _verify(self, event: HookRequest) -> None:
        """Signature v3: over the method, the address as it was called, the body and the moment."""
        given = event.headers.get("x-hubspot-request-timestamp", "")
        now = event.received_at.timestamp() * 1000
        if not given.isdigit() or abs(now - int(given)) > WINDOW / timedelta(milliseconds=1):
            raise UnauthorizedError("The request was signed too long ago.")
        secret = self.config.credentials.client_secret.get_secret_value()
        address = unquote(self.around.hook_url).encode()
        wanted = signature(secret, b"POST", address, event.body, given.encode())
        if not same(event.headers.get("x-hubspot-signature-v3"), wanted):
            raise UnauthorizedError("The signature is not this app's.")

    async def _ask(self, method: str, path: str, json: Any = None) -> Any:
        token = self.config.credentials.access_token.get_secret_value()
        return await ask(
            self.around.vendor_http,
            NAME,
            method,
            f"{self.around.settings.hubspot_address}/{path}",
            headers={"Authorization": f"Bearer {token}"},
            json=json,
            repeatable=True,  # reading, by POST too
        )


def _notice(change: ChangeIn) -> RecordNotice:
    object_type, _, what = change.subscription_type.partition(".")
    return RecordNotice(
        object_type=object_type,
        external_id=str(change.object_id),
        deleted=what in ("deletion", "privacyDeletion"),
        occurred_at=datetime.fromtimestamp(change.occurred_at / 1000, UTC),
    )


ADAPTER = Hubspot
