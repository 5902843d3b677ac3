"""What Flotilla reads of the Bot API's objects (core.telegram.org/bots/api#available-types)."""

from typing import Annotated, Any

import msgspec

EPOCH_SECONDS = Annotated[int, msgspec.Meta(ge=0, lt=1 << 34)]


class ResponseParameters(msgspec.Struct, frozen=True):
    """Why a request was not done."""

    retry_after: int | None = None


class Reply(msgspec.Struct, frozen=True):
    """The answer to every method."""

    ok: bool
    result: Any = None
    error_code: int = 0
    description: str = ""
    parameters: ResponseParameters = ResponseParameters()


class User(msgspec.Struct, frozen=True):
    """Who wrote."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str | None = None
    language_code: str | None = None


class Chat(msgspec.Struct, frozen=True):
    """Where."""

    id: int
    type: str = "private"


class Message(msgspec.Struct, frozen=True):
    """A message; of what it may hold, the text or a picture's caption."""

    message_id: int
    date: EPOCH_SECONDS
    chat: Chat
    sender: User | None = msgspec.field(default=None, name="from")
    text: str | None = None
    caption: str | None = None


class Update(msgspec.Struct, frozen=True):
    """What comes to a webhook: exactly one of many kinds, of which Flotilla takes `message`."""

    update_id: int
    message: Message | None = None


class SentReply(msgspec.Struct, frozen=True):
    """The result of sendMessage."""

    message_id: int
    date: EPOCH_SECONDS


class WebhookInfo(msgspec.Struct, frozen=True):
    """The result of getWebhookInfo."""

    url: str = ""
    pending_update_count: int = 0
    last_error_message: str = ""
