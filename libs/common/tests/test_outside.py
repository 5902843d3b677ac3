"""Nothing outside is awaited while a transaction is open: the clients themselves refuse."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.ids import new_id
from flotilla.outside import OutsideCallInTransactionError, forbid_in_transaction
from flotilla.outside_http import OutsideHttp
from flotilla.store.documents import Documents
from flotilla.testing import Harness
from flotilla.testing.plugin import StartService

from libs.common.tests.http.shop import service


@pytest.fixture(scope="module")
async def harness(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service(service, lanes_paused=True) as running:
        yield running


async def test_http_is_refused(harness: Harness, org: UUID) -> None:
    async with OutsideHttp.opened() as http, harness.app.db.transaction(org):
        with pytest.raises(OutsideCallInTransactionError, match="HTTP"):
            await http.request("GET", harness.base_url)


async def test_documents_are_refused(harness: Harness, org: UUID) -> None:
    documents = Documents.open(harness.instance.documents_url, "unused")
    bodies = documents.collection("bodies")
    async with harness.app.db.transaction(org):
        for call in (
            bodies.insert_many_once([{"_id": new_id()}]),
            bodies.find_by_ids(org, [new_id()]),
            bodies.update_one(org, new_id(), {"$set": {}}),
            bodies.delete_by_ids(org, [new_id()]),
        ):
            with pytest.raises(OutsideCallInTransactionError, match="documents"):
                await call
    await documents.close()


async def test_the_guard_ends_with_the_transaction_however_it_ends(harness: Harness, org: UUID) -> None:
    async with harness.app.db.transaction(org, cause=Cause.fresh()):
        pass
    forbid_in_transaction("anything")
    with pytest.raises(ZeroDivisionError):
        await _failing(harness, org)
    forbid_in_transaction("anything")


async def _failing(harness: Harness, org: UUID) -> None:
    async with harness.app.db.transaction(org):
        raise ZeroDivisionError


async def test_another_task_is_not_held_up_by_it(harness: Harness, org: UUID) -> None:
    elsewhere = asyncio.Event()

    async def call_outside() -> None:
        await elsewhere.wait()
        forbid_in_transaction("anything")

    task = asyncio.create_task(call_outside())
    async with harness.app.db.transaction(org):
        elsewhere.set()
        await task
        with pytest.raises(OutsideCallInTransactionError):
            forbid_in_transaction("anything")
