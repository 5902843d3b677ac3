"""Who is at the other end: the caller's address and scheme, through proxies that are trusted to say so."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flotilla_gateway.forward.headers import Header, header

IPV6_SITE_BITS: Final = 64
"""One IPv6 customer has a whole /64: limits count it as one."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from."""

    address: str
    scheme: str
    bucket: str
    """The address, or for IPv6 its /64, as rate limits count it."""
    private: bool
    """An address of this machine or of a private network."""


class Callers:
    """Works out callers; remembers those it has seen."""

    def __init__(self, trusted_proxies: str) -> None:
        """`trusted_proxies`: networks in CIDR notation, comma-separated."""
        names = (name.strip() for name in trusted_proxies.split(","))
        self._trusted = [ipaddress.ip_network(name, strict=False) for name in names if name]
        self._seen: dict[tuple[str, str], Caller] = {}

    def of(self, peer: str, scheme: str, headers: Iterable[Header]) -> Caller:
        """The caller behind `peer`, who is believed about others only where it is a trusted proxy."""
        if self._trusted and self._is_trusted(peer):
            peer = self._forwarded_for(peer, headers)
            said = header(headers, b"x-forwarded-proto")
            scheme = "https" if said == b"https" else "http" if said == b"http" else scheme
        caller = self._seen.get((peer, scheme))
        if caller is None:
            if len(self._seen) >= 10_000:
                self._seen.clear()
            caller = self._seen[peer, scheme] = _describe(peer, scheme)
        return caller

    def _forwarded_for(self, peer: str, headers: Iterable[Header]) -> str:
        """The last address that no trusted proxy stands for: what stands before it, the caller may have made up."""
        fields = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        hops = [hop.strip() for hop in ",".join(fields).split(",") if hop.strip()]
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
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _describe(address: str, scheme: str) -> Caller:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return Caller("unknown", scheme, "unknown", private=False)
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bucket = str(parsed)
    if parsed.version == 6 and not parsed.is_loopback:
        bucket = str(ipaddress.ip_network((int(parsed), IPV6_SITE_BITS), strict=False))
    return Caller(str(parsed), scheme, bucket, private=parsed.is_private)
