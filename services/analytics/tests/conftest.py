"""The service's stores without its loops, so that a test says itself when something is sealed or folded."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from flotilla.app import App
from flotilla.bus.declare import RawEvent
from flotilla.bus.envelope import decode, encode
from flotilla.cause import Cause
from flotilla.events import ai, crm, integrations, messaging
from flotilla.events.base import Event
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.process import opened
from flotilla.settings import Settings
from flotilla.testing.isolation import isolated
from flotilla_analytics.archiving import archive_events
from flotilla_analytics.service import service

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


class Events:
    """Makes events as the other services emit them."""

    def raw(
        self,
        data: Event,
        org: UUID,
        *,
        sequence: int = 1,
        cause: Cause | None = None,
        event_id: UUID | None = None,
    ) -> RawEvent:
        """The event as the tap gets it."""
        outgoing = encode(
            data,
            org=org,
            sequence=sequence,
            cause=cause or Cause.fresh("service:test"),
            region="eu",
            event_id=event_id,
        )
        return RawEvent(decode(outgoing.body), outgoing.body)

    def received(self, **fields: Any) -> messaging.MessageReceived:
        """A customer's message."""
        told: dict[str, Any] = {
            "message_id": new_id(),
            "conversation_id": new_id(),
            "position": 1,
            "account_id": new_id(),
            "channel": "telegram",
            "identity_id": new_id(),
            "contact_id": None,
            "assignee_id": None,
            "sender": integrations.SenderProfile(address="4711", name="Ada Lovelace"),
            "text": "Where is my parcel?",
            "sent_at": NOW,
            "ai_enabled": True,
            "first": True,
        }
        return messaging.MessageReceived(**{**told, **fields})

    def sent(self, **fields: Any) -> messaging.MessageSent:
        """A reply that reached the channel."""
        return messaging.MessageSent(**self._outgoing("sent", fields))

    def send_requested(self, **fields: Any) -> messaging.MessageSendRequested:
        """A reply that shall go out."""
        told = {"chat": "4711", "text": "It is on its way.", **fields}
        return messaging.MessageSendRequested(**self._outgoing("queued", told))

    def conversation(self, kind: type[messaging.Conversation], **fields: Any) -> messaging.Conversation:
        """A state of a conversation."""
        told: dict[str, Any] = {
            "conversation_id": new_id(),
            "channel": "telegram",
            "account_id": new_id(),
            "identity_id": new_id(),
            "contact_id": None,
            "state": "open",
            "assignee_id": None,
            "snoozed_until": None,
            "opened_at": NOW,
            "resolved_at": None,
            "ai_enabled": True,
        }
        return kind(**{**told, **fields})

    def draft(self, kind: type[ai.Draft], **fields: Any) -> ai.Draft:
        """A state of a draft."""
        told: dict[str, Any] = {
            "draft_id": new_id(),
            "message_id": new_id(),
            "conversation_id": new_id(),
            "account_id": new_id(),
            "identity_id": new_id(),
            "contact_id": None,
            "agent": "support",
            "provider": "local",
            "text": "It is on its way.",
            "confidence": 0.9,
            "citations": [],
            "verdict": ai.Verdict(allowed=True, reasons=[]),
            "state": "generated",
            "reason": None,
            "generated_at": NOW,
            "decided_at": None,
            "decided_by": None,
        }
        return kind(**{**told, **fields})

    def contact(self, kind: type[crm.Contact] = crm.ContactCreated, **fields: Any) -> crm.Contact:
        """A state of a contact."""
        told: dict[str, Any] = {
            "contact_id": new_id(),
            "name": "Ada Lovelace",
            "email": "ada@example.org",
            "phone": None,
            "language": "en",
            "company_id": None,
            "owner_id": None,
            "tags": ["vip"],
            "source": "channel",
        }
        return kind(**{**told, **fields})

    def company(self, **fields: Any) -> crm.CompanyCreated:
        """A company."""
        told: dict[str, Any] = {
            "company_id": new_id(),
            "name": "Analytical Engines Ltd",
            "domain": "engines.example",
            "owner_id": None,
            "tags": [],
        }
        return crm.CompanyCreated(**{**told, **fields})

    def identified(self, identity_id: UUID, contact_id: UUID) -> crm.ContactIdentified:
        """An identity turned out to be a contact."""
        return crm.ContactIdentified(
            identity_id=identity_id, contact_id=contact_id, channel="telegram", address="4711", name="Ada"
        )

    def _outgoing(self, state: str, fields: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "message_id": new_id(),
            "conversation_id": new_id(),
            "position": 2,
            "account_id": new_id(),
            "channel": "telegram",
            "identity_id": new_id(),
            "contact_id": None,
            "author": f"user:{new_id()}",
            "draft_id": None,
            "state": state,
            "reason": None,
            "external_id": None,
            "queued_at": NOW,
            "occurred_at": NOW,
            "responds_to_at": None,
        }
        return {**told, **fields}


@pytest.fixture(scope="session")
def events() -> Events:
    """How events are made."""
    return Events()


Archive = Callable[[App, Iterable[RawEvent]], Awaitable[None]]


@pytest.fixture(scope="session")
def archive() -> Archive:
    """Give events to the archive as the bus does: one transaction that sees their organizations."""

    async def keep(app: App, raw: Iterable[RawEvent]) -> None:
        batch = list(raw)
        async with app.db.transaction({event.envelope.organizationid for event in batch}) as tx:
            await archive_events(tx, app.keyring, batch)

    return keep


OpenApp = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture(scope="session")
def open_app(worker: str) -> OpenApp:
    """`async with open_app() as app:` the service on stores of its own, or on those of `instance`."""

    @asynccontextmanager
    async def on(instance: Instance, told: dict[str, Any]) -> AsyncIterator[App]:
        environment = instance.environment(service.name)
        values = {name.removeprefix("FLOTILLA_").lower(): value for name, value in environment.items()}
        async with opened(service, Settings(**{**values, "elasticsearch_url": "", **told})) as app:
            yield app

    @asynccontextmanager
    async def start(instance: Instance | None = None, **told: Any) -> AsyncIterator[App]:
        if instance is not None:
            async with on(instance, told) as app:
                yield app
            return
        async with isolated(service, worker) as own, on(own, told) as app:
            yield app

    return start


@pytest.fixture(scope="session")
async def app(open_app: OpenApp) -> AsyncIterator[App]:
    """The service, for tests that look at their own organization only."""
    async with open_app() as app:
        yield app


Superuser = Callable[[App], AbstractAsyncContextManager[asyncpg.Connection]]


@pytest.fixture
def superuser() -> Superuser:
    """Somebody with all rights on the database, past every policy and trigger."""

    @asynccontextmanager
    async def connect(app: App) -> AsyncIterator[asyncpg.Connection]:
        database = app.settings.postgres_dsn.get_secret_value().rsplit("/", 1)[1]
        connection = await asyncpg.connect(Instance.load("test").admin_dsn(database))
        try:
            await connection.execute("SET session_replication_role = replica; SET search_path = analytics")
            yield connection
        finally:
            await connection.close()

    return connect


@pytest.fixture(scope="session")
async def own_app(open_app: OpenApp) -> AsyncIterator[App]:
    """The service on another database."""
    async with open_app() as app:
        yield app


@pytest.fixture
async def fresh(own_app: App, superuser: Superuser) -> App:
    """The service with an empty ledger: for what looks at the whole of it, and for who tampers with it."""
    async with superuser(own_app) as admin:
        await admin.execute(
            "TRUNCATE archive, ledger, blocks, unsealed, cursors, person_keys, person_periods,"
            " person_aliases, rollups,"
            " conversation_facts, search_documents, sales_rollups, deal_facts, lead_facts, stage_facts"
        )
    return own_app
