"""What websocket has: everything in one place."""

from datetime import timedelta

from flotilla.app import App
from flotilla.bus.declare import Lane, Worker
from flotilla.service import Service

from flotilla_websocket import api, handlers, store
from flotilla_websocket.edge.sockets import Sockets
from flotilla_websocket.live import live
from flotilla_websocket.settings import WebsocketSettings


async def keep_feed(app: App) -> None:
    """Make the feed's next hours, drop those of yesterday."""
    await store.keep_partitions(app.db)


# Redis is not declared, as /readyz would want it: without it everything is shown all the same, a little later.
service = Service(
    name="websocket",
    settings=WebsocketSettings,
    resources=live,
    routes=(api.live,),
    asgi=Sockets,
    lanes=(Lane("live", wait=timedelta(milliseconds=20)),),
    tap=handlers.show,
    workers=(Worker("feed_partitions", every=timedelta(minutes=10), run=keep_feed),),
)
