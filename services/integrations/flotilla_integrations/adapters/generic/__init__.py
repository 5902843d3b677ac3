"""The generic channel: an organization's own program, over signed HTTP in both directions.

In: `message.received`, `message.delivered`, `message.read`, `typing`. Out: `message.send`, `typing` and `ping`, to the
organization's address; the receiver answers 2xx once it has the message, and takes a repeated `webhook-id` for the
same one.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Final

from flotilla.bus.declare import RetryLater
from flotilla.events.integrations import SenderProfile
from flotilla.outside_http import OutsideResponse, OutsideUncertainError, OutsideUnreachableError
from flotilla.problems import BadRequestError, UnauthorizedError, UnprocessableError
from flotilla.security import webhooks as signing
from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator

from flotilla_integrations.adapters.addresses import WebAddress, check_address
from flotilla_integrations.adapters.base import (
    SEND_MESSAGE,
    SHOW_TYPING,
    AccountRefusedError,
    Action,
    Adapter,
    AdapterError,
    Capabilities,
    Config,
    Connection,
    Health,
    HookRequest,
    InboundMessage,
    Intake,
    NotReachedError,
    Part,
    Receipt,
    RefusedError,
    SendMessage,
    SentMessage,
    ShowTyping,
    TypingShown,
    UnconfirmedError,
)
from flotilla_integrations.adapters.generic import schema

MAX_WAIT: Final = timedelta(hours=1)
FUTURE: Final = timedelta(minutes=5)
"""How far the sender's clock may be ahead."""
_hook: Final[TypeAdapter[schema.MessageReceivedIn | schema.ReceiptReceivedIn | schema.TypingIn]] = (
    TypeAdapter(schema.Hook)
)


class GenericSettings(Part):
    """Where messages for customers go."""

    url: Annotated[WebAddress, Field(description="Messages for customers are posted here.")]


class GenericCredentials(Part):
    """What both sides sign with."""

    secret: Annotated[SecretStr, Field(description="`whsec_` and 24 to 64 bytes in base64.")]

    @field_validator("secret")
    @classmethod
    def _well_formed(cls, secret: SecretStr) -> SecretStr:
        signing.key_of(secret.get_secret_value())
        return secret


class GenericConfig(Config):
    """An organization's own program."""

    settings: GenericSettings
    credentials: GenericCredentials


class Generic(Adapter[GenericConfig]):
    """One such program."""

    connector: ClassVar[str] = "generic"
    title: ClassVar[str] = "Your own program over HTTP"
    config_type: ClassVar[type[Config]] = GenericConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotent_send=True, receipts=True, text_limit=schema.TEXT_LIMIT, typing=True
    )
    actions: ClassVar[Mapping[str, Action]] = {
        **Adapter.actions,
        SHOW_TYPING: Action(ShowTyping, TypingShown),
    }
    proven_with: ClassVar[str] = "a local receiver that verifies with the Standard Webhooks SDK"

    async def connect(self, config: GenericConfig) -> Connection:
        """A signed ping must be answered with 2xx."""
        self.use(config)
        await self._ping()
        return Connection(external_id=None, name=None)

    async def disconnect(self) -> None:
        """Nothing is registered with the other side."""

    async def execute(self, action: str, data: Any) -> SentMessage | TypingShown:
        """Post the message under its own id as the key; or that somebody is writing, under a key of its own."""
        if action == SHOW_TYPING and isinstance(data, ShowTyping):
            key = f"typing-{self.around.account_id}-{time.time_ns()}"
            await self._post("typing", key, schema.TypingOut(chat=data.chat))
            return TypingShown()
        if action != SEND_MESSAGE or not isinstance(data, SendMessage):
            raise ValueError(f"the generic channel has no action {action}")
        message = schema.MessageOut(message_id=data.message_id, chat=data.chat, text=data.text)
        response = await self._post("message.send", str(data.message_id), message)
        try:
            taken = schema.TakenIn.model_validate_json(response.body or b"{}")
        except ValidationError:
            taken = schema.TakenIn()
        return SentMessage(external_id=taken.id, sent_at=datetime.now(UTC))

    async def webhook(self, event: HookRequest) -> Intake:
        """A customer's message or a receipt. A repetition within the tolerance changes nothing: ids are derived."""
        try:
            signing.verify(self._key, event.headers, event.body, now=event.received_at.timestamp())
        except signing.SignatureError as error:
            raise UnauthorizedError(str(error)) from None
        try:
            event.body.decode()
            said = _hook.validate_json(event.body)
        except UnicodeDecodeError:
            raise BadRequestError("The body is not UTF-8.") from None
        except ValidationError as error:
            raise _malformed(error) from None
        if isinstance(said, schema.TypingIn):
            return Intake(typing=said.data.sender.address)
        if isinstance(said, schema.ReceiptReceivedIn):
            receipt = said.type.removeprefix("message.")
            _check_moment(said.data.occurred_at, event.received_at, "/data/occurred_at")
            return Intake(receipts=(Receipt(said.data.message_id, receipt, said.data.occurred_at),))
        message = said.data
        _check_moment(message.sent_at, event.received_at, "/data/sent_at")
        return Intake(
            messages=(
                InboundMessage(
                    external_id=message.id,
                    chat=message.chat,
                    sender=SenderProfile(**message.sender.model_dump()),
                    text=message.text,
                    sent_at=message.sent_at,
                ),
            )
        )

    async def health(self) -> Health:
        """Whether a ping is answered."""
        try:
            await self._ping()
        except AccountRefusedError:
            raise
        except AdapterError as error:
            return Health(False, str(error))
        return Health(True, "Your program answers.")

    @property
    def _key(self) -> bytes:
        return signing.key_of(self.config.credentials.secret.get_secret_value())

    async def _ping(self) -> None:
        # A key of its own for each: a receiver that remembers keys must not take it for an old one.
        await self._post("ping", f"ping-{self.around.account_id}-{time.time_ns()}", None)

    async def _post(
        self, type_: Any, key: str, message: schema.MessageOut | schema.TypingOut | None
    ) -> OutsideResponse:
        """A signed request that was answered with 2xx; AdapterError or RetryLater where it wasn't."""
        url = self.config.settings.url
        check_address(url, self.around.settings)
        body = schema.Outgoing(type=type_, timestamp=datetime.now(UTC), data=message)
        content = body.model_dump_json(exclude_none=True).encode()
        headers = {
            **signing.sign(self._key, key, int(time.time()), content),
            "idempotency-key": key,
            "content-type": "application/json",
        }
        try:
            response = await self.around.customer_http.request(
                "POST",
                url,
                body=content,
                headers=headers,
                limit=self.around.settings.send_seconds,
                repeatable=False,
            )
        except OutsideUnreachableError:
            raise NotReachedError("Your program cannot be reached at its address.") from None
        except OutsideUncertainError:
            raise UnconfirmedError("Your program took the request and did not answer.") from None
        _check_answer(response)
        return response


def _check_answer(response: OutsideResponse) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if status == 429:
        raise RetryLater(_wait(response), "your program: too many requests")
    if status in (401, 410):
        raise AccountRefusedError(f"Your program refuses the account: it answered {status}.")
    if status in (408, 425) or status >= 500:
        raise UnconfirmedError(f"Your program answered {status}.")
    raise RefusedError(f"Your program refused it: it answered {status}.")


def _wait(response: OutsideResponse) -> timedelta:
    """Retry-After (RFC 9110 section 10.2.3) in seconds or as a date, bounded; a second where it isn't said."""
    said = next((value for name, value in response.headers.items() if name.lower() == "retry-after"), "1")
    try:
        wait = timedelta(seconds=int(said))
    except ValueError:
        try:
            wait = parsedate_to_datetime(said) - datetime.now(UTC)
        except (ValueError, TypeError):
            wait = timedelta(seconds=1)
    return min(max(wait, timedelta(seconds=1)), MAX_WAIT)


def _check_moment(moment: datetime, received_at: datetime, pointer: str) -> None:
    if not datetime(2000, 1, 1, tzinfo=UTC) <= moment <= received_at + FUTURE:
        raise UnprocessableError(
            "A moment lies in the past, not before 2000.",
            errors=[{"pointer": pointer, "detail": "out of range"}],
        )


def _malformed(error: ValidationError) -> BadRequestError | UnprocessableError:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if found[0]["type"] == "json_invalid":
        return BadRequestError("The body is not valid JSON.")
    errors = []
    for each in found:
        where = [str(part) for part in each["loc"] if part not in ("message.received", "message.delivered")]
        errors.append({"pointer": "".join(f"/{part}" for part in where), "detail": each["msg"]})
    return UnprocessableError("Correct the values named in `errors`.", errors=errors)


ADAPTER = Generic
