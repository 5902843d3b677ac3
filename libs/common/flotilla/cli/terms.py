"""org agree: what was agreed with an organization beside its plan."""

import asyncio
import getpass
from collections.abc import Iterable, Mapping
from typing import Annotated, Final
from uuid import UUID

import asyncpg
import msgspec
import typer

from flotilla.cause import Cause
from flotilla.cli.fleet import InstanceName
from flotilla.cli.orgs import OrgId
from flotilla.cli.screen import console, explained, failed
from flotilla.features import FEATURES
from flotilla.ids import new_id
from flotilla.instance import Instance

UNLIMITED: Final = "unlimited"

# Carried out by billing as a timer that is due, in one transaction with what it tells the fleet.
AGREE: Final = """
INSERT INTO billing_bus.jobs (id, organization_id, kind, key, payload, cause, due_at)
VALUES ($1, $2, 'contract_terms', $3, $4::text::jsonb, $5::text::jsonb, now())"""


def agree_with(
    org: OrgId,
    terms: Annotated[
        list[str] | None, typer.Argument(help="FEATURE=NUMBER or FEATURE=unlimited; none: as the plan says.")
    ] = None,
    instance: InstanceName = "dev",
) -> None:
    """Replace its own limits: `api_requests=20000 seats=unlimited`. They count on a plan by contract."""
    try:
        limits = parsed(terms or ())
    except ValueError as error:
        raise failed(str(error)) from None
    with explained(instance):
        asyncio.run(agree(Instance.load(instance), org, limits))
    console.print("Billing has been told; it says so to the fleet at once.")


def parsed(terms: Iterable[str]) -> dict[str, int | None]:
    """Limits by feature; ValueError where a term cannot be read."""
    limits: dict[str, int | None] = {}
    for term in terms:
        feature, _, number = term.partition("=")
        if number != UNLIMITED and not (number.isascii() and number.isdigit()):
            raise ValueError(f"{term!r}: write FEATURE=NUMBER or FEATURE={UNLIMITED}")
        if feature not in FEATURES:
            raise ValueError(f"no plan has {feature!r}; there are {', '.join(sorted(FEATURES))}")
        limits[feature] = None if number == UNLIMITED else int(number)
    return limits


async def agree(instance: Instance, org: UUID, limits: Mapping[str, int | None]) -> None:
    """Have billing keep these terms, all of them."""
    cause, job = Cause.fresh(f"operator:{getpass.getuser()}"), new_id()
    payload = msgspec.json.encode({"limits": limits}).decode()
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        key = f"{org}:{job}"
        await connection.execute(AGREE, job, org, key, payload, msgspec.json.encode(cause).decode())
    finally:
        await connection.close()
