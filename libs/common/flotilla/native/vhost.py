"""Vhosts of the project's own broker node: a fleet beside the main one, or a test worker, has its own."""

import asyncio
import base64
import json
import urllib.error
import urllib.request
from typing import Final

from flotilla.instance import Instance
from flotilla.security.tls import trusting

_TIMEOUT: Final = 15.0
PARTNERS: Final = ".partners"
"""After a fleet's vhost: the one beside it that holds its partners' queues."""
_ALL: Final = {"configure": ".*", "write": ".*", "read": ".*"}


async def ensure_vhost(instance: Instance) -> None:
    """Makes the instance's vhost and lets its user in; one that is there stays as it is."""
    await asyncio.to_thread(_call, instance, "PUT", f"vhosts/{instance.vhost}", {})
    await asyncio.to_thread(_call, instance, "PUT", f"permissions/{instance.vhost}/flotilla", _ALL)


async def delete_vhost(instance: Instance) -> None:
    """Removes the instance's vhost with all queues in it, its partners' too; the main one of the node is refused."""
    if instance.vhost == instance.file.vhost:
        raise ValueError(f"{instance.vhost} belongs to the fleet itself")
    await _delete_partners(instance)
    await asyncio.to_thread(_call, instance, "DELETE", f"vhosts/{instance.vhost}", None)


async def _delete_partners(instance: Instance) -> None:
    """Partners' users are the node's: they would stay when their vhost goes."""
    vhost = f"{instance.vhost.removesuffix(PARTNERS)}{PARTNERS}"
    if vhost not in await vhosts(instance):
        return
    answer = await asyncio.to_thread(_call, instance, "GET", f"vhosts/{vhost}/permissions", None)
    for granted in json.loads(answer):
        if granted["user"].startswith("partner."):
            await asyncio.to_thread(_call, instance, "DELETE", f"users/{granted['user']}", None)
    await asyncio.to_thread(_call, instance, "DELETE", f"vhosts/{vhost}", None)


async def vhosts(instance: Instance) -> list[str]:
    """The names of all vhosts of the instance's node."""
    answer = await asyncio.to_thread(_call, instance, "GET", "vhosts", None)
    return [vhost["name"] for vhost in json.loads(answer)]


def _call(instance: Instance, method: str, path: str, body: object) -> bytes:
    token = base64.b64encode(f"flotilla:{instance.secrets.rabbitmq}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{instance.rabbitmq_management_url}/api/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )
    try:
        context = trusting(instance.ca_file) if instance.tls else None
        with urllib.request.urlopen(request, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
            return bytes(answer.read())
    except urllib.error.HTTPError as refused:
        if method == "DELETE" and refused.code == 404:
            return b""
        raise
