"""Regions as cells: an organization is homed in one, and everything it has stays in that one's stores.

A cell is a fleet with a database, a broker, document and file stores, Redis and search of its own. Cells do not speak
to each other, and none keeps a list of the others' organizations: a directory, be it of hashes, would itself be data of
the organizations that it lists. What says where something belongs travels with who asks: access tokens name their
region, and links, webhooks and API documents the address of the cell that gave them out.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from flotilla.problems import MisdirectedError, UnprocessableError

if TYPE_CHECKING:
    from flotilla.settings import Settings


class WrongCellError(RuntimeError):
    """A process of one region was given the stores of another."""


@dataclass(frozen=True)
class Cells:
    """Our own region, and where the gateways of all are."""

    region: str
    addresses: dict[str, str]
    """By region; ours among them."""

    @classmethod
    def of(cls, settings: "Settings") -> "Cells":
        """`FLOTILLA_CELLS`: `eu=https://…,us=https://…`."""
        pairs = (pair.partition("=") for pair in settings.cells.split(",") if pair)
        addresses = {region.strip(): address.strip() for region, _, address in pairs}
        return cls(settings.region, {**addresses, settings.region: settings.public_url})

    def check(self, region: str | None) -> None:
        """A problem where this region is not ours: 421 with where it is, 422 where there is none such."""
        if region is None or region == self.region:
            return
        if (found := self.elsewhere(region)) is not None:
            raise found
        known = ", ".join(sorted(self.addresses))
        raise UnprocessableError(
            f"There is no region {region!r}; there are: {known}.",
            errors=[{"pointer": "/region", "detail": f"One of: {known}."}],
        )

    def elsewhere(self, region: object) -> MisdirectedError | None:
        """The problem that says where a region is; None for ours and for what is none."""
        if not isinstance(region, str) or region == self.region or region not in self.addresses:
            return None
        address = self.addresses[region]
        return MisdirectedError(
            f"This belongs to the region {region}: ask {address}.", region=region, address=address
        )


async def check_database(connection: asyncpg.Connection, region: str) -> None:
    """WrongCellError where the database was made for another region."""
    told = await connection.fetchval("SELECT current_setting('flotilla.region', true)")
    if told and told != region:
        raise WrongCellError(f"this process is of the region {region}, and its database of {told}")


async def claim_database(connection: asyncpg.Connection, database: str, region: str) -> None:
    """Make the database this region's, for good; WrongCellError where it is another's."""
    await check_database(connection, region)
    if await connection.fetchval("SELECT current_setting('flotilla.region', true)"):
        return
    literal = "'" + region.replace("'", "''") + "'"
    await connection.execute(f'ALTER DATABASE "{database}" SET flotilla.region = {literal}')
