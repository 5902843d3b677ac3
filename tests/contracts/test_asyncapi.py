"""The AsyncAPI document, read by AsyncAPI's own parser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flotilla.bus.declare import RawEvent, projection, reaction, tap
from flotilla.bus.envelope import Received
from flotilla.events import CONTRACTS, crm, messaging
from flotilla.events.contracts import ContractsFolder, here
from flotilla.service import Service
from flotilla.store.postgres import Transaction

from tests.contracts.asyncapi_parser import install, parse


@projection(messaging.ConversationOpened, messaging.ConversationResolved, lane="directory")
async def keep_conversations(tx: Transaction, batch: Sequence[Received[messaging.Conversation]]) -> None:
    """Declared to be read, not to be run."""


@reaction(messaging.MessageReceived, lane="messages")
async def find_contact(tx: Transaction, batch: Sequence[Received[messaging.MessageReceived]]) -> None:
    """Declared to be read, not to be run."""


@tap("archive")
async def keep_all(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Declared to be read, not to be run."""


@tap("feed", messaging.MessageReceived)
async def feed(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Declared to be read, not to be run."""


SERVICES = (
    Service(name="crm", handlers=(keep_conversations, find_contact), emits=(crm.ContactCreated,)),
    Service(name="messaging", emits=(messaging.MessageReceived,)),
    Service(name="analytics", tap=keep_all),
    Service(name="websocket", tap=feed),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ContractsFolder:
    install()
    folder = ContractsFolder(tmp_path_factory.mktemp("contracts"), CONTRACTS, SERVICES)
    folder.write()
    return folder


@pytest.fixture(scope="module")
def read(folder: ContractsFolder) -> dict[str, Any]:
    errors, found = parse(folder.path / "asyncapi.yaml")
    assert errors == []
    return found


def test_every_contract_is_a_channel_with_its_schema(read: dict[str, Any]) -> None:
    assert read["version"] == "3.0.0"
    assert read["channels"] == sorted(CONTRACTS)
    assert {message["name"] for message in read["messages"]} == CONTRACTS.keys()
    assert all("organizationid" in message["required"] for message in read["messages"])


def test_operations_are_what_the_services_say_they_send_and_hear(read: dict[str, Any]) -> None:
    operations = set(read["operations"])
    archived = {f"analytics.keep_all.{type_}" for type_ in CONTRACTS}
    assert operations - archived == {
        "crm.sends.contact.created.v1",
        "crm.keep_conversations.conversation.opened.v1",
        "crm.keep_conversations.conversation.resolved.v1",
        "crm.find_contact.message.received.v1",
        "messaging.sends.message.received.v1",
        "websocket.feed.message.received.v1",
    }
    assert archived <= operations


def test_the_parser_would_notice(folder: ContractsFolder, tmp_path: Path) -> None:
    text = (folder.path / "asyncapi.yaml").read_text()
    broken = tmp_path / "asyncapi.yaml"
    broken.write_text(text.replace("action: receive", "action: overhear", 1))
    assert parse(broken)[0]


def test_the_committed_document_is_read_too() -> None:
    install()
    committed = here()
    errors, found = parse(committed.path / "asyncapi.yaml")
    assert errors == []
    assert found["channels"] == sorted(CONTRACTS)
    assert len(found["operations"]) > len(CONTRACTS)


def test_contracts_folder_is_what_the_code_says() -> None:
    assert here().check() == []
