"""Who is at the other end: the caller's address and scheme, through proxies that are trusted to say so."""

import ipaddress
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog
from flotilla.security import addresses, blocks
from flotilla.security.sealing import Keyring

from flotilla_gateway.forward.headers import VIA, Header, header, lines

log = structlog.get_logger()

FORWARDED: Final = b"x-forwarded-for"
MOST_REMEMBERED: Final = 10_000
LONGEST_REMEMBERED: Final = 200
"""Bytes of `X-Forwarded-For`: callers write most of it."""
MOST_TOLD: Final = 100
"""Unlisted proxies that are named in the log."""
DAY_SECONDS: Final = 86_400

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from."""

    address: str
    scheme: str
    bucket: str
    """The address, or for IPv6 its /64, as rate limits count it."""
    operator: bool
    """Of a network of those who run this place, who are shown what is for nobody else."""
    network: str
    """What logs say of the address."""
    pseudonym: str
    """What logs call it today."""
    block: str | None
    """Where its block would be; None: it is never blocked, nor screened."""
    forwarded: bytes = field(init=False, repr=False, compare=False)
    """What services are told of it: lines of a request's head."""

    def __post_init__(self) -> None:
        said = {
            b"x-forwarded-for": self.address.encode(),
            b"x-forwarded-proto": self.scheme.encode(),
            b"via": VIA,
        }
        object.__setattr__(self, "forwarded", lines(said.items()))


class Callers:
    """Works out callers; remembers those it has seen today."""

    def __init__(
        self, trusted_proxies: str, exempt_networks: str, operator_networks: str, keyring: Keyring
    ) -> None:
        """Networks in CIDR notation, comma-separated; the keyring is for pseudonyms."""
        self._trusted = _networks(trusted_proxies)
        self._exempt = self._trusted + _networks(exempt_networks)
        self._operators = _networks(operator_networks)
        self._keyring = keyring
        self._seen: dict[tuple[str, str, bool], Caller] = {}
        self._told: set[str] = set()
        self._trust: dict[str, bool] = {}
        self._behind: dict[tuple[str, bytes], str] = {}
        self._today = 0.0
        self._pseudonyms = addresses.Pseudonyms(keyring, datetime.now(UTC).date())

    def of(
        self, peer: str, scheme: str, headers: Iterable[Header], names: Container[bytes] = frozenset()
    ) -> Caller:
        """The caller behind `peer`, who is believed about others only where it is a trusted proxy.

        `names` of the header fields: who says for whom it asks, and isn't trusted to, has no privilege of its network;
        a proxy that nobody listed would hand it to everybody behind it.
        """
        forwarded = FORWARDED in names
        if self._trusted and self._is_trusted(peer):
            peer, forwarded = self._forwarded_for(peer, headers), False
            said = header(headers, b"x-forwarded-proto")
            scheme = "https" if said == b"https" else "http" if said == b"http" else scheme
        caller = self._seen.get((peer, scheme, forwarded))
        if caller is None or time.time() >= self._today:
            caller = self._meet(peer, scheme, forwarded=forwarded)
        return caller

    def _meet(self, peer: str, scheme: str, *, forwarded: bool) -> Caller:
        now = time.time()
        if now >= self._today or len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
            self._today = (now // DAY_SECONDS + 1) * DAY_SECONDS
            self._pseudonyms = addresses.Pseudonyms(self._keyring, datetime.fromtimestamp(now, UTC).date())
        caller = self._seen[peer, scheme, forwarded] = self._describe(peer, scheme, forwarded=forwarded)
        return caller

    def _describe(self, address: str, scheme: str, *, forwarded: bool) -> Caller:
        parsed = addresses.parse(address)
        if parsed is None:
            unknown = addresses.UNKNOWN
            return Caller(unknown, scheme, unknown, operator=False, network="-", pseudonym="-", block=None)
        if forwarded and parsed.is_private:
            self._tell_of(str(parsed))
        bucket = addresses.bucket(parsed)
        return Caller(
            address=str(parsed),
            scheme=scheme,
            bucket=bucket,
            operator=not forwarded and _in(parsed, self._operators),
            network=addresses.network(parsed),
            pseudonym=self._pseudonyms.of(bucket),
            block=None if not forwarded and _in(parsed, self._exempt) else blocks.key(bucket),
        )

    def _tell_of(self, address: str) -> None:
        """Once, as it may be one request's forgery: it only looks like a load balancer that nobody listed."""
        if address not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(address)
            log.warning(
                "proxy.unlisted",
                address=address,
                advice="All behind it count as one caller: list it in FLOTILLA_TRUSTED_PROXIES.",
            )

    def _forwarded_for(self, peer: str, headers: Iterable[Header]) -> str:
        """The last address that no trusted proxy stands for: what stands before it, the caller may have made up."""
        said = b",".join([value for name, value in headers if name == FORWARDED])
        if len(said) > LONGEST_REMEMBERED:
            return self._last_untrusted(peer, said.decode("latin-1"))
        behind = self._behind.get((peer, said))
        if behind is None:
            if len(self._behind) >= MOST_REMEMBERED:
                self._behind.clear()
            behind = self._behind[peer, said] = self._last_untrusted(peer, said.decode("latin-1"))
        return behind

    def _last_untrusted(self, peer: str, said: str) -> str:
        hops = [hop.strip() for hop in said.split(",") if hop.strip()]
        for hop in reversed(hops):
            try:
                ipaddress.ip_address(hop)
            except ValueError:
                return peer
            peer = hop
            if not self._is_trusted(hop):
                break
        return peer

    def _is_trusted(self, address: str) -> bool:
        known = self._trust.get(address)
        if known is None:
            if len(self._trust) >= MOST_REMEMBERED:
                self._trust.clear()
            known = self._trust[address] = self._look_up(address)
        return known

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return _in(parsed, self._trusted)


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _networks(written: str) -> list[Network]:
    names = (name.strip() for name in written.split(","))
    return [ipaddress.ip_network(name, strict=False) for name in names if name]
