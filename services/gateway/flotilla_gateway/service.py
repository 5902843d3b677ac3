"""What the gateway has."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flotilla.bus.declare import Worker
from flotilla.events.gateway import AddressBlocked, AddressUnblocked, ApiKeyUsed
from flotilla.service import Service

from flotilla_gateway import handlers, store
from flotilla_gateway.abuse.telling import tell_blocks
from flotilla_gateway.api import pages
from flotilla_gateway.door import Door
from flotilla_gateway.forward.passage import Asgi
from flotilla_gateway.gateway import Gateway, resources
from flotilla_gateway.key_use import note_used_keys
from flotilla_gateway.privacy import privacy
from flotilla_gateway.settings import GatewaySettings
from flotilla_gateway.trust.standing import REMEMBERED

if TYPE_CHECKING:
    from flotilla.app import App


def door(app: "App", fastapi: Asgi) -> Door:
    """Everything comes in here; what is not forwarded goes on to this process's own pages."""
    return Door(_gateway(app), fastapi)


def server(app: "App") -> dict[str, Any]:
    """The edge: limits on heads and slow callers, WebSocket tunnels."""
    return _gateway(app).server_options()


async def forget_ended_sessions(app: "App") -> None:
    """Their tokens have expired."""
    await store.forget_ended(app.db, REMEMBERED * 2)


async def has_signing_keys(app: "App") -> None:
    """Without a key nobody who signed in can be believed."""
    if not len(_gateway(app).standing.keys):
        raise LookupError("auth has told no signing key yet")


def _gateway(app: "App") -> Gateway:
    gateway: Gateway = app.own
    return gateway


service = Service(
    name="gateway",
    privacy=privacy,
    settings=GatewaySettings,
    redis=True,
    resources=resources,
    routes=(pages,),
    asgi=door,
    server=server,
    lanes=(handlers.SECURITY,),
    handlers=(
        handlers.keep_signing_keys,
        handlers.keep_organization_states,
        handlers.keep_memberships,
        handlers.keep_roles,
        handlers.keep_team_members,
        handlers.keep_ended_sessions,
        handlers.keep_api_keys,
        handlers.tell_revoked_keys,
        handlers.keep_revoked_clients,
        handlers.keep_revoked_grants,
        handlers.keep_entitlements,
    ),
    emits=(ApiKeyUsed, AddressBlocked, AddressUnblocked),
    ready={"signing_keys": has_signing_keys},
    workers=(
        Worker("forget-ended-sessions", every=timedelta(minutes=15), run=forget_ended_sessions),
        Worker("tell-blocks", every=timedelta(seconds=2), run=tell_blocks),
        Worker("note-used-keys", every=timedelta(minutes=1), run=note_used_keys, leased=False),
    ),
)
