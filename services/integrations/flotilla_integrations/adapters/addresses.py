"""Addresses that organizations give: public ones only, so that nobody reaches into our own network through us.

The name is resolved, every address is checked, and the connection is made to what was checked; redirects are
not followed. A literal address is checked before the request, since it is never resolved.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from flotilla.public_addresses import REFUSED, PublicResolver, is_public
from pydantic import AfterValidator, Field

from flotilla_integrations.adapters.base import RefusedError
from flotilla_integrations.settings import IntegrationsSettings


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
