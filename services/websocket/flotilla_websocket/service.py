"""What websocket has: everything in one place."""

from datetime import timedelta

from flotilla.app import App
from flotilla.bus.declare import Lane, Worker
from flotilla.events.websocket import NotificationDelivered, NotificationFailed, NotificationRead
from flotilla.service import Service

from flotilla_websocket.api import live as live_api
from flotilla_websocket.api import notifications as notifications_api
from flotilla_websocket.edge.shared_frames import SharedFrames
from flotilla_websocket.edge.sockets import Sockets
from flotilla_websocket.handlers import live as showing
from flotilla_websocket.handlers import notifications
from flotilla_websocket.live import live
from flotilla_websocket.privacy import privacy
from flotilla_websocket.settings import WebsocketSettings
from flotilla_websocket.store import feed


async def keep_feed(app: App) -> None:
    """Make the feed's next hours, drop those of yesterday."""
    await feed.keep_partitions(app.db)


# Redis is not declared, as /readyz would want it: without it everything is shown all the same, a little later.
service = Service(
    name="websocket",
    privacy=privacy,
    settings=WebsocketSettings,
    resources=live,
    routes=(live_api.live, notifications_api.routes, notifications_api.preferences),
    asgi=Sockets,
    server=lambda _: {"ws": SharedFrames},
    lanes=(
        Lane("live", wait=timedelta(milliseconds=20), busy_wait=timedelta(milliseconds=50)),
        Lane(notifications.LANE),
    ),
    handlers=(notifications.keep_members, notifications.tell_people),
    tap=showing.show,
    timers=(notifications.awaited, notifications.expired),
    workers=(Worker("feed_partitions", every=timedelta(minutes=10), run=keep_feed),),
    emits=(NotificationDelivered, NotificationFailed, NotificationRead),
)
