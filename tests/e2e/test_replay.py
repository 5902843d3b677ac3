"""An operator has a service's copies built anew on the whole fleet, from the command line, while it lives on."""

import asyncio

import asyncpg
import pytest
from flotilla.cli import app, screen
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from typer.testing import CliRunner, Result

from tests.e2e.conftest import NewOffice

USERS = "SELECT organization_id, id, sequence, role, active FROM crm.users ORDER BY 1, 2"


@pytest.fixture
def flotilla(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> object:
    """The command, on this fleet."""
    monkeypatch.setattr(Instance, "load", lambda name: fleet.instance)
    screen.console.width = screen.errors.width = 300

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    return run


async def test_flotilla_replay_heals_a_service(new_office: NewOffice, fleet: Fleet, flotilla: object) -> None:
    assert callable(flotilla)
    for name in ("Harbour", "Kite"):
        await new_office(name)
    admin = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        before = await admin.fetch(USERS)
        assert len(before) >= 2
        await admin.execute("UPDATE crm.users SET role = 'viewer', active = false, sequence = sequence + 50")
        done = await flotilla("replay", "crm", "--wait")
        assert done.exit_code == 0, done.output
        assert "finished" in done.output
        assert await admin.fetch(USERS) == before
    finally:
        await admin.close()
    shown = await flotilla("replay", "list", "crm")
    assert "finished" in shown.output
    refused = await flotilla("replay", "auth")
    assert refused.exit_code == 1
    assert "no projection that can be built anew" in refused.output
    nothing = await flotilla("replay", "cancel", "crm")
    assert nothing.exit_code == 1
