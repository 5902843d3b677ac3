"""people: somebody who lost everything that proves who they are."""

import asyncio
import getpass
from typing import Annotated, Final
from uuid import UUID

import asyncpg
import msgspec
import typer

from flotilla.cause import Cause
from flotilla.cli.carrying import carried_out
from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.ids import new_id
from flotilla.instance import Instance

app = typer.Typer(help="People, as Flotilla's operators see them.", no_args_is_help=True)

FIND: Final = "SELECT DISTINCT id FROM auth.users WHERE email = lower($1) OR id::text = lower($1)"

HAS: Final = """
SELECT EXISTS (SELECT FROM auth.totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS totp,
    (SELECT count(*) FROM auth.passkeys WHERE user_id = $1)::int AS passkeys,
    (SELECT count(*) FROM auth.recovery_codes WHERE user_id = $1)::int AS recovery_codes"""

MEMBERSHIPS: Final = "SELECT organization_id FROM auth.memberships WHERE user_id = $1"

# Carried out by auth as timers that are due, one in each organization; with each goes what came of it.
DECIDE: Final = """
INSERT INTO auth_bus.jobs (id, organization_id, kind, key, payload, cause, due_at)
SELECT id, organization_id, 'second_factor_reset', id::text, $3::text::jsonb, $4::text::jsonb, now()
FROM unnest($1::uuid[], $2::uuid[]) AS decided (id, organization_id)"""


@app.callback()
def people() -> None:
    """People, as Flotilla's operators see them."""


@app.command()
def remove_second_factor(
    who: Annotated[str, typer.Argument(help="Their e-mail address, or id.")],
    reason: Annotated[str, typer.Option(help="Why, and how it was made sure who asks: kept.", prompt=True)],
    instance: InstanceName = "dev",
) -> None:
    """Remove somebody's authenticator, passkeys and recovery codes, and end their sessions; they are told by mail.

    Make sure by another way than e-mail that it is them who ask: from now on their password alone lets them in.
    """
    if not reason.strip():
        raise failed("say why, in a few words")
    with explained(instance):
        removed = asyncio.run(remove(Instance.load(instance), who.strip(), reason.strip()))
    console.print(f"Removed of {removed}. Their sessions are ended, and they are told by mail.")


async def remove(instance: Instance, who: str, reason: str) -> UUID:
    """Have auth do it in each of their organizations: their id, once that is done."""
    cause = Cause.fresh(f"operator:{getpass.getuser()}")
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        user_id = await _find(connection, who)
        jobs = await _decide(connection, user_id, reason, cause)
        for job in jobs:
            await carried_out(connection, job)
        return user_id
    finally:
        await connection.close()


async def _find(connection: asyncpg.Connection, who: str) -> UUID:
    rows = await connection.fetch(FIND, who)
    if len(rows) != 1:
        raise failed(f"there is nobody with the address or id {who}")
    user_id: UUID = rows[0]["id"]
    return user_id


async def _decide(connection: asyncpg.Connection, user_id: UUID, reason: str, cause: Cause) -> list[UUID]:
    has = await connection.fetchrow(HAS, user_id)
    if not has["totp"] and not has["passkeys"]:
        raise failed("they have no second factor")
    orgs = [row["organization_id"] for row in await connection.fetch(MEMBERSHIPS, user_id)]
    jobs = [new_id() for _ in orgs]
    said = msgspec.json.encode({"user_id": user_id, "reason": reason, **dict(has)}).decode()
    await connection.execute(DECIDE, jobs, orgs, said, msgspec.json.encode(cause).decode())
    return jobs
