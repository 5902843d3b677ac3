"""Where an organization's provider may stand: an address of the open internet, over TLS.

The name is looked up here, every address checked, and the connection made to the address that was checked, so
that a name cannot point elsewhere a moment later. Redirects are not followed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2


class ForbiddenAddressError(OSError):
    """The name leads to an address that is not of the open internet."""


def refusal_of(url: str, *, private: bool) -> str | None:
    """Why an address may not be a provider's, in words for the person who entered it; None where it may."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not an address."
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "Enter an address that begins with https://."
    if parts.username or parts.password or parts.query or parts.fragment:
        return "The address holds more than host and path."
    if private:
        return None
    if parts.scheme != "https":
        return "Only https:// is allowed: the customer's words travel there."
    if _is_private_name(parts.hostname):
        return "This address is not on the open internet."
    return None


def _is_private_name(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


async def addresses_of(host: str, port: int, *, private: bool) -> list[str]:
    """Where a name leads; ForbiddenAddressError where any of it is private."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not private and any(not ipaddress.ip_address(address).is_global for address in addresses):
        raise ForbiddenAddressError(f"{host} leads to an address that is not of the open internet")
    return addresses


def guarded_client(seconds: float, *, private: bool) -> "httpx2.AsyncClient":
    """An HTTP client that connects only where it may."""
    import httpcore2
    import httpx2

    class Backend(httpcore2.AsyncNetworkBackend):
        """Connects to the address that was checked; TLS still proves the name."""

        def __init__(self) -> None:
            self._plain = httpcore2.AnyIOBackend()

        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore2.AsyncNetworkStream:
            try:
                addresses = await addresses_of(host, port, private=private)
            except OSError as error:
                raise httpcore2.ConnectError(str(error)) from error
            return await self._plain.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

        async def sleep(self, seconds: float) -> None:
            await self._plain.sleep(seconds)

    transport = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=50))
    # The transport takes no backend of ours itself; its pool does, and is otherwise the same.
    transport._pool = httpcore2.AsyncConnectionPool(
        ssl_context=transport._pool._ssl_context, max_connections=50, network_backend=Backend()
    )
    return httpx2.AsyncClient(
        transport=transport,
        timeout=httpx2.Timeout(seconds, connect=5.0),
        follow_redirects=False,
        trust_env=False,
    )
