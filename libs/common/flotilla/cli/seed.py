"""seed: the demo organization, made through the gateway's public API."""

import asyncio
import time
from typing import Annotated

import typer

from flotilla.cli.screen import console, explained, report
from flotilla.instance import HOST, Instance
from flotilla.security.tls import trusting
from flotilla.seed import Demo, SeedError
from flotilla.seed import seed as fill


def seed(
    instance: Annotated[
        str, typer.Option("--instance", "-i", help="Which instance of deploy/instances.")
    ] = "dev",
) -> None:
    """Make what is missing of the demo organization; the fleet must be up."""
    with explained(instance):
        demo = asyncio.run(seeded(Instance.load(instance)))
    console.print(sign_in(demo))


async def seeded(instance: Instance) -> Demo:
    """The demo of an instance that simulates Telegram; SeedError where it does not."""
    began = time.monotonic()
    at = {name: f"http://{HOST}:{port}" for name, port in instance.file.simulators.items()}
    if "telegram" not in at:
        raise SeedError(
            f"The demo's customers write through a simulated Telegram, and {instance.name} has none:"
            " give it a port under [simulators] in its TOML."
        )
    demo = await fill(
        instance.public_url,
        telegram_url=at["telegram"],
        shop_url=at.get("generic", ""),
        environment=instance.file.environment,
        tls=trusting(instance.ca_file) if instance.tls else None,
    )
    report("demo", demo.made or "nothing is missing", time.monotonic() - began)
    return demo


def sign_in(demo: Demo) -> str:
    """How to sign in to the demo."""
    return f"  {demo.organization:<14} {demo.email}, password: {demo.password}"
