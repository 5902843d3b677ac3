"""An operator has a service's copies built anew on the whole fleet, from the command line, while it lives on."""

import asyncpg
from flotilla.fleet import Fleet
from flotilla.testing import eventually

from tests.e2e.conftest import Flotilla, NewOffice

USERS = "SELECT organization_id, id, sequence, role, active FROM crm.users ORDER BY 1, 2"


async def test_flotilla_replay_heals_a_service(
    new_office: NewOffice, fleet: Fleet, flotilla: Flotilla
) -> None:
    owners = {(await new_office(name)).owner.user["id"] for name in ("Harbour", "Kite")}
    admin = await asyncpg.connect(fleet.instance.admin_dsn())

    async def known() -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await admin.fetch(USERS)
        assert owners <= {str(row["id"]) for row in rows}
        return rows

    try:
        before = await eventually(known, what="crm knows both")
        await admin.execute("UPDATE crm.users SET role = 'viewer', active = false, sequence = sequence + 50")
        done = await flotilla("replay", "crm", "--wait")
        assert done.exit_code == 0, done.output
        assert "finished" in done.output
        assert await admin.fetch(USERS) == before
    finally:
        await admin.close()
    shown = await flotilla("replay", "list", "crm")
    assert "finished" in shown.output
    refused = await flotilla("replay", "kyb")
    assert refused.exit_code == 1
    assert "no projection that can be built anew" in refused.output
    nothing = await flotilla("replay", "cancel", "crm")
    assert nothing.exit_code == 1
