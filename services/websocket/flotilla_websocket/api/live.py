"""/v1/live over HTTP; the WebSocket itself is edge/sockets.py."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Response
from flotilla.http import CurrentApp, Problem, Routes, UnprocessableError, Who

from flotilla_websocket import protocol
from flotilla_websocket.domain.topics import MAX_TOPICS, UnknownTopicError, parse
from flotilla_websocket.edge.streams import EventStream

live = Routes("/v1/live", tag="live")

STREAM = "Messages of the live protocol (see `GET /v1/live`), one a `data:` line; `id:` is the event's id."


class UpgradeRequiredError(Problem):
    """Plain HTTP where a WebSocket is to be opened."""

    status, slug, title = 426, "upgrade-required", "Open a WebSocket here"


@live.get(
    "",
    permission="events:subscribe",
    status_code=101,
    response_class=Response,
    description=protocol.__doc__,
    responses={101: {"description": "The WebSocket is open."}},
)
async def open_socket() -> Response:
    """Where the WebSocket is opened."""
    raise UpgradeRequiredError(
        f"Send `Upgrade: websocket` with the subprotocol `{protocol.SUBPROTOCOL}`, or read /v1/live/events.",
        headers={"upgrade": "websocket"},
    )


@live.get(
    "/events",
    permission="events:subscribe",
    response_class=Response,
    responses={
        200: {"description": STREAM, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    },
)
async def stream_events(
    app: CurrentApp,
    who: Who,
    topics: Annotated[list[str] | None, Query(max_length=MAX_TOPICS)] = None,
    last_event_id: Annotated[UUID | None, Header(description="Resume from here; browsers send it.")] = None,
    since: Annotated[UUID | None, Query(description="The same, for a first connection.")] = None,
) -> Response:
    """What happens, as server-sent events, for as long as the client listens."""
    try:
        wanted = parse(topics)
    except UnknownTopicError as error:
        raise UnprocessableError(
            "Correct the topics.", errors=[{"parameter": "topics", "detail": str(error)}]
        ) from None
    return EventStream(app.own, who, wanted, last_event_id or since)
