"""`flotilla sagas`, on the sagas of a real pipeline."""

import asyncio
from uuid import UUID

import pytest
from flotilla.cli import app, screen
from flotilla.events.billing import InvoiceRequested
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.testing import Harness
from typer.testing import CliRunner

from services.pipeline.tests.conftest import Json, a_deal, moved


async def test_an_operator_lists_sagas_and_reads_one(
    pipeline: Harness, org: UUID, board: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Instance, "load", lambda name: pipeline.instance)
    monkeypatch.setattr(screen.console, "width", 300)  # a test worker's terminal is narrow
    deal = await moved(pipeline, org, await a_deal(pipeline, org), board["Won"])
    wish = await pipeline.spy.expect(InvoiceRequested, lambda event: event.org == org)
    saga = (await pipeline.client(org).get("/v1/sagas/pipeline")).json()["items"][0]["id"]

    async def says(*arguments: str) -> str:
        run = CliRunner().invoke
        command = ["sagas", *arguments]
        return (await asyncio.to_thread(run, app, command)).output

    listed = await says("list", "pipeline", "--org", str(org), "--state", "running")
    assert saga in listed
    assert deal["id"] in listed
    assert "no saga" in await says("list", "pipeline", "--org", str(org), "--state", "stuck")
    shown = await says("show", "pipeline", saga)
    assert str(wish.data.request_id) in shown
    assert "delivery" in shown
    assert "has no saga" in await says("show", "pipeline", str(new_id()))
    assert "has no sagas" in await says("list", "websocket")
