"""Organizations that operators close and open again."""

from uuid import UUID

import pytest
import typer
from flotilla.cli.orgs import decide
from flotilla.events.auth import OrganizationSuspended, OrganizationUpdated
from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla_auth.testing import Person


async def _decide(auth: Harness, org: UUID, reason: str | None) -> str:
    row = await decide(auth.instance, org, reason)
    return str(row["state"])


async def test_an_operator_closes_an_organization_and_opens_it_again(auth: Harness, owner: Person) -> None:
    assert await _decide(auth, owner.org, "Sends what nobody asked for") == "suspended"

    told = await auth.spy.expect(OrganizationSuspended, lambda event: event.org == owner.org)
    assert (told.data.state, told.data.reason) == ("suspended", "Sends what nobody asked for")
    assert told.data.changed == {"state": ["trial", "suspended"]}
    assert (told.envelope.actor or "").startswith("operator:")
    assert await _decide(auth, owner.org, "Still does") == "suspended"
    assert await _decide(auth, owner.org, None) == "trial"
    again = await auth.spy.expect(OrganizationUpdated, lambda event: event.org == owner.org)
    assert again.data.changed == {"state": ["suspended", "trial"]}
    assert (await owner.client.get("/v1/organization")).json()["state"] == "trial"


async def test_what_changes_nothing_is_not_told(auth: Harness, owner: Person) -> None:
    await _decide(auth, owner.org, None)
    await _decide(auth, owner.org, "Twice")
    await _decide(auth, owner.org, "Twice")

    assert not auth.spy.of(OrganizationUpdated, owner.org)
    await auth.spy.expect(OrganizationSuspended, lambda event: event.org == owner.org)
    assert len(auth.spy.of(OrganizationSuspended, owner.org)) == 1


async def test_an_organization_that_is_not_there(auth: Harness) -> None:
    with pytest.raises(typer.Exit):
        await decide(auth.instance, new_id(), "Whoever it is")
