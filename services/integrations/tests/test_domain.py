"""The order of sends, ids of what comes in, and addresses; without servers."""

from datetime import UTC, datetime, timedelta

import pytest
from flotilla.events.integrations import SenderProfile
from flotilla.ids import new_id
from flotilla.public_addresses import PublicResolver, is_public
from flotilla_integrations.adapters.addresses import check_address
from flotilla_integrations.adapters.base import InboundMessage, RefusedError
from flotilla_integrations.domain import (
    SendState,
    Waiting,
    identity_id,
    message_event_id,
    message_id,
    next_in_line,
    waits_for_a_gap,
)
from flotilla_integrations.settings import IntegrationsSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)


def waiting(number: int, *, state: SendState = SendState.WAITING, release_at: datetime = LATER) -> Waiting:
    return Waiting(new_id(), number, state, release_at)


def test_sends_go_by_number_one_at_a_time() -> None:
    first, second = waiting(3), waiting(4)
    assert next_in_line(2, [second, first], NOW) is first
    assert next_in_line(2, [waiting(3, state=SendState.HANDED), second], NOW) is None
    assert next_in_line(3, [second], NOW) is second
    assert next_in_line(4, [], NOW) is None


def test_a_missing_number_is_waited_for_and_not_for_ever() -> None:
    ahead = waiting(7)
    assert next_in_line(5, [ahead], NOW) is None
    assert waits_for_a_gap(5, [ahead], ahead)
    assert next_in_line(5, [ahead], LATER) is ahead
    assert not waits_for_a_gap(6, [ahead], ahead)
    assert not waits_for_a_gap(5, [waiting(6), ahead], ahead)


def message(sent_at: datetime = NOW, external_id: str = "5") -> InboundMessage:
    return InboundMessage(external_id, "77", SenderProfile(address="77"), "x", sent_at)


def test_ids_are_those_of_the_message_and_the_person() -> None:
    account = new_id()
    assert message_id("telegram", account, message()) == message_id("telegram", account, message())
    assert message_id("telegram", account, message()) != message_id("telegram", new_id(), message())
    assert message_id("telegram", account, message()) != message_id(
        "telegram", account, message(external_id="6")
    )
    assert identity_id("telegram", account, "77") == identity_id("telegram", account, "77")
    assert identity_id("telegram", account, "77") != identity_id("telegram", account, "78")


def test_a_repeated_message_is_the_same_event_unless_inboxes_have_forgotten_it() -> None:
    id_ = new_id()
    assert message_event_id(message(), id_, NOW) == message_event_id(message(), id_, LATER)
    old = message(NOW - timedelta(days=30))
    assert message_event_id(old, id_, NOW) != message_event_id(old, id_, NOW)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
def test_private_addresses_are_known_in_every_dress(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def settings(environment: str = "production", allowed: bool | None = None) -> IntegrationsSettings:
    return IntegrationsSettings.model_construct(environment=environment, private_addresses_allowed=allowed)


def test_an_organizations_address_is_public_and_encrypted() -> None:
    for address in ("http://example.org", "https://127.0.0.1/x", "https://[::1]/"):
        with pytest.raises(RefusedError):
            check_address(address, settings())
        check_address(address, settings(allowed=True))
    check_address("https://example.org/hook", settings())
    assert not settings().trusts_private_addresses
    assert settings(environment="development").trusts_private_addresses


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1"])
async def test_a_name_that_leads_inside_is_refused(name: str) -> None:
    with pytest.raises(OSError, match="private network"):
        await PublicResolver().resolve(name, 443)
