"""Telegram through the Bot API: a bot's private chats and groups, text in and out."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

import msgspec
from flotilla.bus.declare import RetryLater
from flotilla.events.integrations import SenderProfile
from flotilla.outside_http import OutsideUncertainError, OutsideUnreachableError
from flotilla.problems import BadRequestError, UnauthorizedError, UnprocessableError
from pydantic import Field, SecretStr, field_validator

from flotilla_integrations.adapters.addresses import WebAddress, check_address
from flotilla_integrations.adapters.base import (
    SEND_MESSAGE,
    SHOW_TYPING,
    AccountRefusedError,
    Action,
    Adapter,
    Capabilities,
    Config,
    Connection,
    GoneError,
    Health,
    HookRequest,
    InboundMessage,
    Intake,
    NotReachedError,
    Part,
    RefusedError,
    SendMessage,
    SentMessage,
    ShowTyping,
    TypingShown,
    UnconfirmedError,
)
from flotilla_integrations.adapters.telegram.schema import (
    Message,
    Reply,
    SentReply,
    Update,
    User,
    WebhookInfo,
)

SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
TOKEN: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{30,64}")
TEXT_LIMIT: Final = 4096
ASK_SECONDS: Final = 10.0
TAKEN_UPDATES: Final = ["message", "edited_message"]
READ_ONLY: Final = frozenset({"getMe", "getWebhookInfo", "setWebhook", "deleteWebhook"})

REASONS: Final[Mapping[str, str]] = {
    "bot was blocked by the user": "The customer blocked the bot.",
    "user is deactivated": "The customer's Telegram account was deleted.",
    "bot was kicked": "The bot was removed from the group.",
    "chat not found": "Telegram does not know this chat: the customer must write to the bot first.",
    "message is too long": f"Telegram takes at most {TEXT_LIMIT} characters in a message.",
}
GONE: Final = frozenset({"bot was blocked by the user", "user is deactivated", "chat not found"})
"""Whom nothing reaches any more."""
_update = msgspec.json.Decoder(Update)
_reply = msgspec.json.Decoder(Reply)


class TelegramSettings(Part):
    """Where the bot is."""

    api_base: Annotated[
        WebAddress | None,
        Field(description="A self-hosted Bot API server; Telegram's own where it isn't set."),
    ] = None


class TelegramCredentials(Part):
    """Who the bot is."""

    token: Annotated[SecretStr, Field(description="The bot's token, as BotFather gives it.")]

    @field_validator("token")
    @classmethod
    def _well_formed(cls, token: SecretStr) -> SecretStr:
        if not TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("A bot's token is its number, a colon and some 35 letters, digits, _ or -.")
        return token


class TelegramConfig(Config):
    """A bot."""

    settings: TelegramSettings = TelegramSettings()
    credentials: TelegramCredentials


class Telegram(Adapter[TelegramConfig]):
    """One bot."""

    connector: ClassVar[str] = "telegram"
    title: ClassVar[str] = "Telegram bot"
    config_type: ClassVar[type[Config]] = TelegramConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotent_send=False, receipts=False, text_limit=TEXT_LIMIT, typing=True
    )
    actions: ClassVar[Mapping[str, Action]] = {
        **Adapter.actions,
        SHOW_TYPING: Action(ShowTyping, TypingShown),
    }
    proven_with: ClassVar[str] = "a simulator of the documented Bot API"

    async def connect(self, config: TelegramConfig) -> Connection:
        """getMe proves the token, setWebhook points the bot here."""
        self.use(config)
        bot = msgspec.convert(await self._call("getMe", {}), User)
        await self._call(
            "setWebhook",
            {
                "url": self.around.hook_url,
                "secret_token": self.around.hook_secret,
                "allowed_updates": TAKEN_UPDATES,
            },
        )
        return Connection(external_id=str(bot.id), name=bot.username)

    async def disconnect(self) -> None:
        """deleteWebhook, unless another program has taken the bot over meanwhile."""
        info = msgspec.convert(await self._call("getWebhookInfo", {}), WebhookInfo)
        if info.url == self.around.hook_url:
            await self._call("deleteWebhook", {})

    async def execute(self, action: str, data: Any) -> SentMessage | TypingShown:
        """sendMessage, as plain text; sendChatAction, which Telegram shows for five seconds."""
        if action == SHOW_TYPING and isinstance(data, ShowTyping):
            await self._call("sendChatAction", {"chat_id": data.chat, "action": "typing"})
            return TypingShown()
        if action != SEND_MESSAGE or not isinstance(data, SendMessage):
            raise ValueError(f"Telegram has no action {action}")
        if _utf16_length(data.text) > TEXT_LIMIT:
            raise RefusedError(REASONS["message is too long"])
        result = await self._call("sendMessage", {"chat_id": data.chat, "text": data.text})
        try:
            sent = msgspec.convert(result, SentReply)
        except msgspec.ValidationError:
            raise UnconfirmedError("Telegram answered in a way that cannot be read.") from None
        return SentMessage(external_id=str(sent.message_id), sent_at=datetime.fromtimestamp(sent.date, UTC))

    async def webhook(self, event: HookRequest) -> Intake:
        """An Update. What is not a text message of a person is unsupported, not an error."""
        given = event.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.around.hook_secret.encode()):
            raise UnauthorizedError(
                "The secret token is not the one that this account's webhook was set with."
            )
        try:
            update = _update.decode(event.body)
        except msgspec.ValidationError as error:
            raise UnprocessableError(f"This is no Update of the Bot API: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadRequestError("The body is not valid JSON.") from None
        message = update.message
        if message is None:
            return Intake(unsupported="update")
        text = (message.text or message.caption or "").replace("\x00", "")
        if not text.strip() or message.sender is None or message.sender.is_bot:
            return Intake(unsupported="message")
        return Intake(messages=(_inbound(message, message.sender, text),))

    async def health(self) -> Health:
        """Whether the token is good, the webhook ours, and deliveries succeed."""
        await self._call("getMe", {})
        info = msgspec.convert(await self._call("getWebhookInfo", {}), WebhookInfo)
        if info.url != self.around.hook_url:
            return Health(False, "Another program receives this bot's messages: connect it again.")
        if info.last_error_message:
            waiting = info.pending_update_count
            return Health(waiting == 0, f"{waiting} waiting; Telegram last said: {info.last_error_message}")
        return Health(True, "Messages come and go.")

    async def _call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """The result of one method; AdapterError or RetryLater where there is none."""
        own = self.config.settings.api_base
        http = self.around.customer_http if own else self.around.vendor_http
        address = own or self.around.settings.telegram_address
        if own:
            check_address(own, self.around.settings)
        try:
            response = await http.request(
                "POST",
                f"{address}/bot{self.config.credentials.token.get_secret_value()}/{method}",
                json=arguments,
                limit=self.around.settings.send_seconds if method == "sendMessage" else ASK_SECONDS,
                repeatable=method in READ_ONLY,
            )
            reply = _reply.decode(response.body)
        except OutsideUnreachableError:
            raise NotReachedError("Telegram cannot be reached.") from None
        except OutsideUncertainError:
            raise UnconfirmedError("Telegram took the request and did not answer.") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnconfirmedError(f"Telegram answered {response.status}.") from None
        if reply.ok:
            return reply.result
        raise _error(reply)


def _error(reply: Reply) -> Exception:
    code, said = reply.error_code, reply.description
    if code == 429:
        return RetryLater(timedelta(seconds=reply.parameters.retry_after or 1), "Telegram: too many requests")
    if code in (401, 404):
        return AccountRefusedError("Telegram does not accept the bot's token.")
    if code >= 500:
        return UnconfirmedError(f"Telegram answered {code}.")
    part = next((part for part in REASONS if part in said), None)
    words = REASONS[part] if part is not None else f"Telegram refused it: {said}"
    return GoneError(words) if part in GONE else RefusedError(words)


def _inbound(message: Message, sender: User, text: str) -> InboundMessage:
    return InboundMessage(
        external_id=str(message.message_id),
        chat=str(message.chat.id),
        sender=SenderProfile(
            address=str(sender.id),
            name=_clean(f"{sender.first_name} {sender.last_name}"),
            username=_clean(sender.username),
            language=_clean(sender.language_code),
        ),
        text=text,
        sent_at=datetime.fromtimestamp(message.date, UTC),
    )


def _clean(text: str | None) -> str | None:
    """A name or a code without what no store of text takes; None where nothing is left."""
    return (text or "").replace("\x00", "").strip() or None


def _utf16_length(text: str) -> int:
    """Telegram counts UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


ADAPTER = Telegram
