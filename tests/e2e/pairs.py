"""Two organizations side by side, both full of data."""

import asyncio
from typing import TYPE_CHECKING

from flotilla.fleet import Fleet
from flotilla.testing.people import Office

from tests.e2e.arranged import shared
from tests.e2e.filled import Full, fill
from tests.e2e.market import has_bought, offered
from tests.e2e.placed import place

if TYPE_CHECKING:
    from tests.e2e.conftest import NewOffice


async def side_by_side(new_office: "NewOffice", fleet: Fleet) -> list[Full]:
    """Two organizations with one of each thing."""
    seller = await new_office("Market")
    return list(
        await asyncio.gather(*[filled(new_office, fleet, seller, name) for name in ("Harbour", "Kite")])
    )


async def filled(new_office: "NewOffice", fleet: Fleet, seller: Office, name: str) -> Full:
    """An organization with one of each thing, also what another sold it, and what no request makes."""
    full = await fill(await new_office(name))
    full.ids |= await has_bought(full.owner, await offered(seller))
    full.ids |= await shared(full.owner, seller.owner)
    full.ids |= await place(fleet.instance, full.owner)
    return full
