"""What an address is allowed for being near: little by default, and nothing to whom an unlisted proxy speaks for."""

import pytest
from flotilla.security.sealing import Keyring
from flotilla_gateway.edge.clients import Caller, Callers
from flotilla_gateway.settings import GatewaySettings
from structlog.testing import capture_logs

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask

LOOPBACK: str = GatewaySettings.model_fields["exempt_networks"].default
OPERATORS: str = GatewaySettings.model_fields["operator_networks"].default
BALANCER = "10.0.3.4"
CLUSTER = "10.0.0.0/16"
KEYRING = Keyring("k:" + "A" * 43 + "=")
"""For pseudonyms, which are not looked at here."""


def described(peer: str, *forwarded: str, trusted: str = "", operators: str = OPERATORS) -> Caller:
    """Whom a gateway takes for the caller."""
    callers = Callers(trusted, LOOPBACK, operators, KEYRING)
    return asked(callers, peer, *forwarded)


def asked(callers: Callers, peer: str, *forwarded: str) -> Caller:
    """The same, of one gateway."""
    headers = [(b"host", b"api.example"), *((b"x-forwarded-for", each.encode()) for each in forwarded)]
    return callers.of(peer, "http", headers, dict(headers))


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_this_machine_is_trusted(peer: str) -> None:
    caller = described(peer)
    assert (caller.operator, caller.block) == (True, None)


@pytest.mark.parametrize("peer", [BALANCER, "172.16.0.9", "192.168.1.1", "fd00::7", "203.0.113.7"])
def test_a_private_network_is_not(peer: str) -> None:
    caller = described(peer)
    assert not caller.operator
    assert caller.block is not None, "it can be blocked, and is screened"


def test_an_unlisted_proxy_is_the_caller_itself_and_has_no_privilege() -> None:
    callers = Callers("", f"{LOOPBACK},{CLUSTER}", f"{OPERATORS},{CLUSTER}", KEYRING)
    with capture_logs() as logs:
        for peer in (BALANCER, "127.0.0.1", BALANCER):
            caller = asked(callers, peer, "203.0.113.7")
            assert (caller.address, caller.operator) == (peer, False)
            assert caller.block is not None
        assert asked(callers, "9.9.9.9", "203.0.113.7").address == "9.9.9.9"
    told = [line["address"] for line in logs if line["event"] == "proxy.unlisted"]
    assert told == [BALANCER, "127.0.0.1"], "once each; anybody on the internet may say anything"
    direct = asked(callers, BALANCER)
    assert (direct.operator, direct.block) == (True, None), "who speaks for itself is what it is"


def test_a_listed_proxy_speaks_for_its_callers() -> None:
    caller = described(BALANCER, "203.0.113.7", trusted=CLUSTER, operators=f"{OPERATORS},{CLUSTER}")
    assert (caller.address, caller.operator) == ("203.0.113.7", False)
    assert caller.block is not None
    long = ", ".join(["198.51.100.3"] * 100 + ["203.0.113.7"])
    callers = Callers(BALANCER, LOOPBACK, OPERATORS, KEYRING)
    for said in ("203.0.113.7", "6.6.6.6, 203.0.113.7", long, "203.0.113.7"):
        assert asked(callers, BALANCER, said).address == "203.0.113.7"
    assert asked(callers, BALANCER, "203.0.113.8").address == "203.0.113.8"
    assert asked(callers, BALANCER, "nonsense").address == BALANCER
    inside = described(BALANCER, "10.0.9.9", trusted=BALANCER, operators=CLUSTER)
    assert (inside.address, inside.operator) == ("10.0.9.9", True)


async def test_pages_for_operators(start_world: StartWorld) -> None:
    async with start_world() as edge:
        for path in ("/metrics", "/readyz"):
            assert (await ask(edge.port, "GET", path)).status == 200
            through = await ask(edge.port, "GET", path, "x-forwarded-for: 203.0.113.7")
            assert through.status == 404, "a proxy that nobody listed does not make it public"
        assert (await ask(edge.port, "GET", "/healthz", "x-forwarded-for: 203.0.113.7")).status == 200
    async with start_world(operator_networks="10.0.0.0/8", trusted_proxies="127.0.0.0/8") as edge:
        for source, status in (("10.1.2.3", 200), ("192.168.1.1", 404), ("127.0.0.1", 404)):
            assert (await ask(edge.port, "GET", "/metrics", f"x-forwarded-for: {source}")).status == status
