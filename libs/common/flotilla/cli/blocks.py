"""blocks: addresses that the gateway refuses for a while; list them, add one, remove one."""

import asyncio
import getpass
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rich.markup import escape
from rich.table import Table

from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.instance import Instance
from flotilla.security import addresses, blocks
from flotilla.security.blocks import Block

app = typer.Typer(help="Addresses that the gateway refuses for a while.", no_args_is_help=True)

_REASON: Final = re.compile(r"[\w .,:;()/-]{1,120}").fullmatch
_LONGEST_HOURS: Final = 24 * 365

AddressText = Annotated[str, typer.Argument(help="An IPv4 or IPv6 address; of an IPv6 one, its /64 counts.")]


@app.command("list")
def listing(instance: InstanceName = "dev") -> None:
    """Which are refused, why, and until when; the one that ends first comes first."""
    with explained(instance):
        found = asyncio.run(_list(Instance.load(instance)))
    table = Table("address", "until", "reason", "time", box=None)
    for block in found:
        until = datetime.fromtimestamp(block.until, UTC).isoformat(" ", "seconds")
        table.add_row(escape(block.bucket), until, escape(block.reason), str(block.offence or "by hand"))
    console.print(table)


@app.command()
def add(
    address: AddressText,
    reason: Annotated[str, typer.Option(help="Why: kept, and told in the event.", prompt=True)],
    hours: Annotated[float, typer.Option(min=0.01, max=_LONGEST_HOURS, help="For how long.")] = 24,
    instance: InstanceName = "dev",
) -> None:
    """Refuse one, at every gateway process at once; channels' webhooks from there go on."""
    bucket = _bucket(address)
    if not _REASON(reason.strip()):
        raise failed("say why in a few plain words")
    by = f"{reason.strip()} ({getpass.getuser()})"
    with explained(instance):
        block = asyncio.run(_add(Instance.load(instance), bucket, max(1, round(hours * 3600)), by))
    console.print(f"{escape(block.bucket)} is refused for {hours:g} h")


@app.command()
def remove(address: AddressText, instance: InstanceName = "dev") -> None:
    """Let one call again."""
    bucket = _bucket(address)
    with explained(instance):
        block = asyncio.run(_remove(Instance.load(instance), bucket))
    if block is None:
        raise failed(f"{bucket} is not blocked")
    console.print(f"{escape(bucket)} may call again")


def _bucket(address: str) -> str:
    parsed = addresses.parse(address.partition("/")[0])
    if parsed is None:
        raise failed(f"{address} is no address")
    return addresses.bucket(parsed)


async def _list(instance: Instance) -> list[Block]:
    async with _redis(instance) as redis:
        return await blocks.listing(redis)


async def _add(instance: Instance, bucket: str, seconds: int, reason: str) -> Block:
    async with _redis(instance) as redis:
        return await blocks.place(redis, bucket, seconds, reason)


async def _remove(instance: Instance, bucket: str) -> Block | None:
    async with _redis(instance) as redis:
        return await blocks.lift(redis, bucket)


@asynccontextmanager
async def _redis(instance: Instance) -> AsyncIterator[Redis]:
    async with Redis.from_url(instance.redis_url) as redis:
        try:
            yield redis
        except RedisConnectionError as error:
            raise failed(f"Redis cannot be asked: {error}") from None
