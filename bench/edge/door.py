"""The gateway's door in a process of its own, served as `flotilla.run` serves it: `python -m bench.edge.door`.

Everything a request meets is the gateway's; only what it knows of keys comes from the command line instead of by
events, so that no lanes or timers of the service run beside it.
"""

import argparse
import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from flotilla.events.auth import PublicKey
from flotilla.instance import Instance
from flotilla.run import spare_the_collector
from flotilla_gateway.door import Door
from flotilla_gateway.forward.passage import Asgi
from flotilla_gateway.gateway import opened
from flotilla_gateway.settings import GatewaySettings
from flotilla_gateway.trust.keys import KeySet
from flotilla_gateway.trust.standing import Standing
from starlette.applications import Starlette

KID: Final = "bench"
BOUNDLESS: Final = "1000000/1"
"""A limit that is decided, and never reached."""


def document() -> dict[str, Any]:
    """Routes open to all, and the same for who is signed in."""

    def operation(permission: str, limit: str) -> dict[str, str]:
        return {"x-service": "things", "x-permission": permission, "x-rate-limit": limit}

    opened_, signed = operation("public", "open"), operation("things:read", "session")
    return {
        "paths": {
            "/v1/open/{name}": {"get": opened_, "post": opened_},
            "/v1/things/{name}": {"get": signed, "post": signed},
        }
    }


def settings(arguments: argparse.Namespace) -> GatewaySettings:
    """Of a gateway before one service."""
    file = Path(arguments.folder) / "openapi.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document()))
    environment = Instance.load("test").environment("gateway")
    told: dict[str, Any] = {
        name.removeprefix("FLOTILLA_").lower(): value for name, value in environment.items()
    }
    told |= {
        "openapi_file": file,
        "upstreams": f"things=http://127.0.0.1:{arguments.upstream}",
        "redis_url": f"redis://127.0.0.1:{arguments.redis}/0",
        "limit_session": BOUNDLESS,
        "limit_open": BOUNDLESS,
    }
    return GatewaySettings(**told)


async def main(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    key = PublicKey(kid=KID, x=arguments.key, not_after=datetime.now(UTC) + timedelta(hours=2))
    pages: Asgi = Starlette()
    async with opened(settings(arguments), Standing(KeySet([key]))) as gateway:
        options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": arguments.port,
            "lifespan": "off",
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "timeout_keep_alive": 75,
            "backlog": 4096,
            **gateway.server_options(),
        }
        spare_the_collector()
        server = uvicorn.Server(uvicorn.Config(Door(gateway, pages), **options))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
        await server.serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True, help="port")
    parser.add_argument("--redis", type=int, required=True, help="port; one where nobody listens: no limits")
    parser.add_argument("--key", required=True, help="x of the Ed25519 key that tokens are checked with")
    parser.add_argument("--folder", required=True)
    uvloop.run(main(parser.parse_args()))
