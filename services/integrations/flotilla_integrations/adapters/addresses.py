"""Addresses that organizations give: public ones only, so that nobody reaches into our own network through us.

The name is resolved, every address is checked, and the connection is made to what was checked; redirects are
not followed. A literal address is checked before the request, since it is never resolved.
"""

import ipaddress
import socket
from typing import Annotated, Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from pydantic import AfterValidator, Field

from flotilla_integrations.adapters.base import RefusedError
from flotilla_integrations.settings import IntegrationsSettings

REFUSED = "This address is inside a private network: it must be one that anybody on the internet can reach."


class PrivateAddressError(OSError):
    """A name leads into a private network."""


def is_public(address: str) -> bool:
    """Whether anybody on the internet reaches this address; the addresses that IPv6 wraps are looked into."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            ip = wrapped
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PublicResolver(AbstractResolver):
    """Resolves names whose every address is public; PrivateAddressError for others."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise PrivateAddressError(REFUSED)
        return found

    async def close(self) -> None:
        """Nothing is held."""
        await self._resolver.close()


def connector_options(settings: IntegrationsSettings) -> dict[str, Any]:
    """How the client for organizations' addresses connects."""
    return {} if settings.trusts_private_addresses else {"resolver": PublicResolver()}


def check_address(address: str, settings: IntegrationsSettings) -> None:
    """RefusedError for an address that may not be called: plain HTTP, or literally private."""
    if settings.trusts_private_addresses:
        return
    parts = urlsplit(address)
    if parts.scheme != "https":
        raise RefusedError("The address must begin with https://.")
    try:
        public = is_public(parts.hostname or "")
    except ValueError:
        return  # a name: checked when it is resolved
    if not public:
        raise RefusedError(REFUSED)


def _well_formed(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("This is no web address.") from None
    if parts.scheme not in ("https", "http") or not host or not address.isprintable() or " " in address:
        raise ValueError("A web address begins with https:// and names a host.")
    if parts.username is not None or parts.fragment:
        raise ValueError("A web address here holds no user name and no fragment.")
    return address.rstrip("/")


WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_well_formed)]
"""An http or https address; whether it may be called is said by `check_address` and the resolver."""
