"""The live protocol `flotilla.v1`: JSON messages over WebSocket, and the same over server-sent events.

Connect to `/v1/live` (WebSocket, subprotocol `flotilla.v1`) or read `/v1/live/events` (server-sent events).
Nothing needs to be asked: a client is sent every event that its person may see, from the moment it connects.

**From the server**

- `{"type": "hello", "session": "…", "heartbeat_seconds": 25, "last_event_id": "…"}`: connected. The id stands for
  this moment: resume from it where no event came since.
- `{"type": "event", "id": "…", "event": {…}}`: something happened. `event` has `id`, `type`, `time`, `subject`,
  `sequence`, `actor`, `correlation_id`, and `data` as contracts/events describes it.
- `{"type": "resync"}`: events were left out (too slow, or away for too long). Read again over HTTP what you show.
- `{"type": "resumed"}`: what was missed has been sent.
- `{"type": "subscribed", "topics": […]}`: these topics from now on; null: everything.
- `{"type": "ping"}`: answer with a pong.
- `{"type": "error", "detail": "…"}`: the last message was not understood; nothing changed.
- `{"type": "goodbye", "code": 1012, "reason": "…", "reconnect_in_seconds": 1.4}`: the connection is about to be
  closed. `reconnect_in_seconds` is null where connecting again would not help.

**From the client** (WebSocket; server-sent events take query parameters instead)

- `{"type": "subscribe", "topics": ["drafts", "conversation:<id>"]}`: only these topics; null for everything. There
  are conversations, messages, drafts, contacts, tasks, notes, integrations, notifications, conversation:<id> and
  contact:<id>.
- `{"type": "resume", "last_event_id": "…"}`: send what came since this event was sent to me, and in the 30 seconds
  before.
- `{"type": "pong"}`: still here.

Events may come more than once and, of different entities, in any order: drop ids you know, and apply a state only
if its `sequence` is higher than the one you have. What a resume repeats you drop the same way. The feed reaches
back 24 hours; asked for more than it has, the answer is `resync`. That somebody is writing (`channel.typing.v1`,
`conversation.typing.v1`) is in no feed: show it for some five seconds.

Close codes: 1012 the service restarts (reconnect after the time told), 4000 connected for long enough (reconnect),
4401 the session has ended, 4403 your rights have changed (refresh the access token,
reconnect), 4408 no answer to pings, 4429 too many
messages. Over server-sent events the stream ends after `goodbye`.
"""

from typing import Final
from uuid import UUID

import msgspec

SUBPROTOCOL: Final = "flotilla.v1"
RESTART: Final = 1012
LIFETIME: Final = 4000
SESSION_ENDED: Final = 4401
RIGHTS_CHANGED: Final = 4403
SILENT: Final = 4408
TOO_MANY: Final = 4429


class _ServerMessage(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    pass


class Hello(_ServerMessage, frozen=True):
    """Connected."""

    session: UUID
    heartbeat_seconds: float
    last_event_id: UUID


class Resync(_ServerMessage, frozen=True):
    """Events were left out."""


class Resumed(_ServerMessage, frozen=True):
    """What was missed has been sent."""


class Subscribed(_ServerMessage, frozen=True):
    """Only these topics from now on."""

    topics: list[str] | None


class Ping(_ServerMessage, frozen=True):
    """Are you there?"""


class Error(_ServerMessage, frozen=True):
    """Not understood."""

    detail: str


class Goodbye(_ServerMessage, frozen=True):
    """About to be closed."""

    code: int
    reason: str
    reconnect_in_seconds: float | None


class _ClientMessage(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    pass


class Subscribe(_ClientMessage, frozen=True):
    """Only these topics."""

    topics: list[str] | None


class Resume(_ClientMessage, frozen=True):
    """Send what I missed."""

    last_event_id: UUID


class Pong(_ClientMessage, frozen=True):
    """Still here."""


ClientMessage = Subscribe | Resume | Pong
_client: Final = msgspec.json.Decoder(ClientMessage)


class NotUnderstoodError(ValueError):
    """A client's message is none of ours; the words are for the client."""


def read(text: str | bytes) -> ClientMessage:
    """A client's message."""
    try:
        message: ClientMessage = _client.decode(text)
    except msgspec.ValidationError as error:
        raise NotUnderstoodError(str(error)) from None
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise NotUnderstoodError("The message is not JSON.") from None
    return message
