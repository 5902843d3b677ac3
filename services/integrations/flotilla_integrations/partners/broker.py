"""Partners' queues in the broker: one each, and a user that can read it and do nothing else.

They stand in a vhost of their own beside the fleet's. Every step may be repeated: made anew, it is as it was.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import aio_pika
import yarl
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError
from flotilla.bus.connection import BROKER_ERRORS, close, connect
from flotilla.native.vhost import PARTNERS
from flotilla.outside_http import OutsideHttp

from flotilla_integrations.partners.domain import WINDOW

CONTENT_TYPE: Final = "application/cloudevents+json"
NOTHING: Final = "^$"
CONNECTIONS: Final = 10
"""That a partner may have open at a time."""
MOST_MESSAGES: Final = 10_000
MOST_BYTES: Final = 64 << 20
CONFIRM_SECONDS: Final = 10.0
POLICY: Final[dict[str, Any]] = {
    "pattern": r"^partner\.",
    "apply-to": "queues",
    "definition": {
        "max-length": MOST_MESSAGES,
        "max-length-bytes": MOST_BYTES,
        "message-ttl": int(WINDOW.total_seconds()) * 1000,
        "overflow": "reject-publish",
    },
}
"""A partner who never reads fills a queue and no disk. What does not fit is refused and offered again later, so that
what is lost is what was told: events older than a week."""
LOST: Final = "The queue is gone; it is being made again."
FULL: Final = "The queue is full."
AWAY: Final = "The broker did not answer."


class BrokerRefusedError(RuntimeError):
    """The broker's HTTP interface did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a partner's program reads."""

    vhost: str
    queue: str
    username: str


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way into a queue."""

    event_id: UUID
    type: str
    position: int | None
    body: bytes


class Broker(Protocol):
    """Queues of partners."""

    def address(self, subscription_id: UUID) -> Address:
        """Where the program of this subscription reads."""

    async def ensure(self, subscription_id: UUID, password_hash: str) -> None:
        """The queue and its user stand, the user with this password; safe to repeat."""

    async def remove(self, subscription_id: UUID) -> None:
        """Neither stands, and what was connected is not any more; safe to repeat."""

    async def publish(self, subscription_id: UUID, messages: Sequence[Message]) -> list[str | None]:
        """What became of each: None where it stands in the queue, else why not (LOST, FULL, AWAY)."""

    async def close(self) -> None:
        """Let go of the connection."""


@dataclass
class RabbitBroker:
    """RabbitMQ: queues and users by its HTTP interface, events over AMQP."""

    http: OutsideHttp
    admin_url: yarl.URL
    """Of the HTTP interface, with who may make users and vhosts."""
    amqp_url: yarl.URL
    """As the fleet connects."""
    _connection: AbstractConnection | None = None
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def vhost(self) -> str:
        """Beside the fleet's."""
        return f"{self.amqp_url.path.removeprefix('/').strip('/') or 'flotilla'}{PARTNERS}"

    def address(self, subscription_id: UUID) -> Address:
        name = f"partner.{subscription_id}"
        return Address(self.vhost, name, name)

    async def ensure(self, subscription_id: UUID, password_hash: str) -> None:
        where = self.address(subscription_id)
        own = {"configure": NOTHING, "write": r"^amq\.default$", "read": NOTHING}
        theirs = {"configure": NOTHING, "write": NOTHING, "read": f"^{where.queue.replace('.', '[.]')}$"}
        user = {
            "password_hash": password_hash,
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "",
        }
        queue = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
        await self._ask("PUT", ("vhosts", self.vhost), {})
        await self._ask("PUT", ("permissions", self.vhost, str(self.admin_url.user)), _EVERYTHING)
        if self.amqp_url.user != self.admin_url.user:
            await self._ask("PUT", ("permissions", self.vhost, str(self.amqp_url.user)), own)
        await self._ask("PUT", ("policies", self.vhost, "partners"), POLICY)
        await self._ask("PUT", ("queues", self.vhost, where.queue), queue)
        await self._ask("PUT", ("users", where.username), user)
        await self._ask("PUT", ("user-limits", where.username, "max-connections"), {"value": CONNECTIONS})
        await self._ask("PUT", ("permissions", self.vhost, where.username), theirs)

    async def remove(self, subscription_id: UUID) -> None:
        where = self.address(subscription_id)
        await self._ask("DELETE", ("users", where.username))
        await self._ask("DELETE", ("queues", self.vhost, where.queue))

    async def publish(self, subscription_id: UUID, messages: Sequence[Message]) -> list[str | None]:
        queue = self.address(subscription_id).queue
        try:
            connection = await self._connected()
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        except BROKER_ERRORS:
            return [AWAY] * len(messages)
        try:
            exchange = channel.default_exchange
            return list(await asyncio.gather(*(_publish(exchange, queue, each) for each in messages)))
        finally:
            try:
                await channel.close()
            except BROKER_ERRORS:
                self._connection = None

    async def close(self) -> None:
        if self._connection is not None:
            await close(self._connection)

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            # `is_closed` tells of our own closing only, not of a broker's that went away.
            if self._connection is None or not self._connection.connected.is_set():
                self._connection = await connect(
                    str(self.amqp_url.with_path(f"/{self.vhost}", keep_query=True))
                )
            return self._connection

    async def _ask(self, method: str, path: tuple[str, ...], body: Any = None) -> None:
        base = self.admin_url.with_user(None)
        url = base.joinpath("api", *path)
        token = base64.b64encode(f"{self.admin_url.user}:{self.admin_url.password}".encode()).decode()
        answer = await self.http.request(
            method, str(url), json=body, headers={"Authorization": f"Basic {token}"}
        )
        if answer.status >= 300 and not (method == "DELETE" and answer.status == 404):
            raise BrokerRefusedError(f"{method} {path[0]}: the broker answered {answer.status}")


_EVERYTHING: Final = {"configure": ".*", "write": ".*", "read": ".*"}


async def _publish(exchange: aio_pika.abc.AbstractExchange, queue: str, message: Message) -> str | None:
    headers: dict[str, Any] = {} if message.position is None else {"flotilla-position": message.position}
    wire = aio_pika.Message(
        message.body,
        message_id=str(message.event_id),
        type=message.type,
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        headers=headers,
    )
    try:
        await exchange.publish(wire, queue, mandatory=True, timeout=CONFIRM_SECONDS)
    except PublishError:  # returned: there is no such queue
        return LOST
    except DeliveryError:
        return FULL
    except BROKER_ERRORS:
        return AWAY
    return None
