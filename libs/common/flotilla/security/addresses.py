"""Callers' addresses: whom limits and blocks count as one, and what logs may say of them.

An address says something of a person, so no log and no event holds one. They hold its network, and a pseudonym:
HMAC-SHA-256 of the address under a key of that day. Whoever has the derivation keys and already knows an address finds
its requests (`flotilla logs gateway --address`); nobody reads an address out of a log, or follows one over days.
"""

import hashlib
import hmac
import ipaddress
from datetime import date
from typing import Final

from flotilla.security.sealing import Keyring

SITE_BITS: Final = 64
"""One IPv6 customer has a whole /64: it is counted as one."""
UNKNOWN: Final = "unknown"
_PSEUDONYM_BYTES: Final = 8
_SHOWN_BITS: Final = {4: 24, 6: 48}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse(address: str) -> Address | None:
    """The address without its zone, IPv4 where it is mapped into IPv6; None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def bucket(address: Address) -> str:
    """Whom it counts as: itself, or for IPv6 its /64, as `2001:db8::/64`."""
    if address.version == 6 and not address.is_loopback:
        return str(ipaddress.ip_network((int(address), SITE_BITS), strict=False))
    return str(address)


def network(address: Address) -> str:
    """What a log may say of where it is: its /24, or its /48."""
    return str(ipaddress.ip_network((int(address), _SHOWN_BITS[address.version]), strict=False))


class Pseudonyms:
    """What callers are called in logs on one day (UTC)."""

    def __init__(self, keyring: Keyring, day: date) -> None:
        self._keys = keyring.derive_all(f"gateway.callers.{day.isoformat()}")

    def of(self, bucket: str) -> str:
        """Sixteen hexadecimal digits."""
        return _pseudonym(self._keys[0], bucket)

    def all(self, bucket: str) -> frozenset[str]:
        """What it may be called, under whichever derivation key that day."""
        return frozenset(_pseudonym(key, bucket) for key in self._keys)


def _pseudonym(key: bytes, bucket: str) -> str:
    return hmac.digest(key, bucket.encode(), hashlib.sha256)[:_PSEUDONYM_BYTES].hex()
