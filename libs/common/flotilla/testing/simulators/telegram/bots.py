"""Bots as the Bot API knows them, its errors, and the ways in which it may misbehave."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_TEXT: Final = 4096
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True)
class Hang:
    """Take the message and don't answer for so long."""

    seconds: float = 3600.0


@dataclass(frozen=True)
class Drop:
    """Take the message and cut the connection before the answer."""


@dataclass(frozen=True)
class Flood:
    """Refuse the message: too many requests, come back after so many seconds."""

    retry_after: int = 1


@dataclass(frozen=True)
class Fail:
    """Refuse the message with this status and description."""

    status: int = 500
    description: str = "Internal Server Error"


Misbehaviour = Hang | Drop | Flood | Fail


class BotApiError(Exception):
    """An error as the Bot API tells it."""

    def __init__(self, status: int, description: str, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


@dataclass
class Bot:
    """A bot, its webhook, and the people it may write to."""

    token: str
    username: str
    url: str = ""
    secret: str = ""
    last_error: str = ""
    chats: set[int] = field(default_factory=set)
    """Who has written to it: a bot may not write first."""
    knows_everybody: bool = False
    blocked_by: set[int] = field(default_factory=set)
    pending: deque[dict[str, Any]] = field(default_factory=deque)

    @property
    def user(self) -> dict[str, Any]:
        """The bot as a User."""
        return {
            "id": int(self.token.split(":")[0]),
            "is_bot": True,
            "first_name": self.username,
            "username": self.username,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }


@dataclass(frozen=True)
class Sent:
    """A message that a bot sent."""

    token: str
    message_id: int
    chat: int
    text: str


def set_webhook(bot: Bot, arguments: Mapping[str, Any]) -> None:
    """setWebhook: where updates go, and the secret they carry; plain HTTP as a self-hosted server allows."""
    url, secret = str(arguments.get("url", "")), str(arguments.get("secret_token", ""))
    if url and not url.startswith(("https://", "http://")):
        raise BotApiError(400, "Bad Request: bad webhook: invalid URL specified")
    if secret and not SECRET.fullmatch(secret):
        raise BotApiError(400, "Bad Request: secret token contains unallowed characters")
    bot.url, bot.secret = url, secret


def addressed(bot: Bot, arguments: Mapping[str, Any]) -> tuple[int, str]:
    """The chat and the text of sendMessage, or why it may not be sent."""
    text = str(arguments.get("text", ""))
    if not text.strip():
        raise BotApiError(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > MAX_TEXT:
        raise BotApiError(400, "Bad Request: message is too long")
    try:
        chat = int(arguments.get("chat_id", ""))
    except ValueError:
        raise BotApiError(400, "Bad Request: chat not found") from None
    if chat not in bot.chats and not bot.knows_everybody:
        raise BotApiError(400, "Bad Request: chat not found")
    if chat in bot.blocked_by:
        raise BotApiError(403, "Forbidden: bot was blocked by the user")
    return chat, text
