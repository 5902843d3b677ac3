"""/v1/runs: why a rule did what it did."""

from uuid import UUID

from flotilla.http import NotFoundError, Routes, Tx, Who

from flotilla_automation.api.schemas import RunWithSteps
from flotilla_automation.store import runs as store

routes = Routes("/v1/runs", tag="rules")


@routes.get("/{run_id}", permission="rules:read")
async def read_run(run_id: UUID, tx: Tx, who: Who) -> RunWithSteps:
    """A run: every comparison, every step, and where it stands."""
    run = await store.read(tx, who.org, run_id)
    if run is None:
        raise NotFoundError("There is no run with this id.")
    return RunWithSteps.told(run, await store.effects(tx, who.org, run_id))
