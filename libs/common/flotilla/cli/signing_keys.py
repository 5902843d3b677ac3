"""keys signing: keys that sign access tokens. They change each month by themselves, announced, and nobody notices.

revoke    at once, all of them: for a key that somebody else may have
"""

import asyncio
import getpass
from typing import Final
from uuid import UUID

import msgspec
import typer
from rich.table import Table

from flotilla.cause import Cause
from flotilla.cli.carrying import carried_out
from flotilla.cli.fleet import InstanceName
from flotilla.cli.rotating import connection
from flotilla.cli.screen import console, explained
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.instance import Instance

LIST: Final = (
    "SELECT id, signs_from, not_after FROM auth.signing_keys WHERE not_after > now() ORDER BY signs_from"
)

# Carried out by auth as a timer that is due, in one transaction with what it tells the fleet.
REVOKE: Final = """
INSERT INTO auth_bus.jobs (id, organization_id, kind, key, payload, cause, due_at)
VALUES ($1, $2, 'signing_keys_revoke', $3, '{}', $4::text::jsonb, now())"""

app = typer.Typer(help="With which access tokens are signed.", no_args_is_help=True)


@app.command("list")
def list_(instance: InstanceName = "dev") -> None:
    """Which there are; the private halves are sealed under the master keys."""
    with explained(instance):
        rows = asyncio.run(_read(Instance.load(instance)))
    table = Table("", "signs from", "is believed until", box=None, pad_edge=False, header_style="dim")
    for row in rows:
        table.add_row(*(str(each) for each in row))
    console.print(table)


@app.command()
def revoke(instance: InstanceName = "dev") -> None:
    """Believe none of today's any more, and sign with a new one. Sessions go on: their tokens are refreshed."""
    with explained(instance):
        asyncio.run(revoked(Instance.load(instance)))
    console.print(
        "They are revoked: no token that they signed lets anybody in. Restart the gateway, which ends live connections "
        "that were opened with one."
    )


async def revoked(instance: Instance) -> UUID:
    """Have auth do it: the id of the word, once that is done."""
    cause = msgspec.json.encode(Cause.fresh(f"operator:{getpass.getuser()}")).decode()
    job = new_id()
    async with connection(instance) as database:
        await database.execute(REVOKE, job, PLATFORM_ORG, str(job), cause)
        await carried_out(database, job)
    return job


async def _read(instance: Instance) -> list[tuple[object, ...]]:
    async with connection(instance) as database:
        return [tuple(row.values()) for row in await database.fetch(LIST)]
