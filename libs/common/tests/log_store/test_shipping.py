"""Logs in Elasticsearch: all of them, each once, found by what is in them, and removed when they are old."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from flotilla.cli import app
from flotilla.fleet import LOG_SHIPPER, Fleet
from flotilla.instance import HOST, Instance
from flotilla.log_store.index import LogIndex, StoreAwayError
from flotilla.log_store.positions import Positions
from flotilla.log_store.shipper import Shipper
from flotilla.testing import eventually
from typer.testing import CliRunner

TODAY = datetime.now(UTC)
NOBODY = f"http://{HOST}:9"


@pytest.fixture
def prefix() -> str:
    return f"t_{uuid4().hex}"


@pytest.fixture
def index(prefix: str) -> Iterator[LogIndex]:
    """Indices of the test's own, where Elasticsearch runs."""
    url = Instance.load("test").elasticsearch_url
    if not url:
        pytest.skip("Elasticsearch is not built here")
    opened = LogIndex(url, prefix)
    yield opened
    opened.forget(date.max, 0)
    opened.close()


@pytest.fixture
def shipper(index: LogIndex, tmp_path: Path) -> Shipper:
    return Shipper(index, Positions(tmp_path / "positions.json"), tmp_path, ("crm", "auth"), 14)


def write(folder: Path, service: str, age: timedelta = timedelta(), **fields: object) -> None:
    line = {"ts": (TODAY - age).isoformat(), "level": "info", "service": service, "event": "done", **fields}
    with (folder / f"{service}.log").open("a") as log:
        log.write(json.dumps(line) + "\n")


def found(index: LogIndex, **terms: str) -> list[object]:
    index._client.indices.refresh(index=f"{index._prefix}-*")
    filters = [{"term": {name: value}} for name, value in terms.items()]
    return [line.get("n") for line in index.search(filters, None, 100)]


def test_all_lines_are_found_by_what_is_in_them_and_each_once(shipper: Shipper, tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, "crm", timedelta(seconds=9 - number), n=number, correlation_id=f"c{number % 2}")
    write(tmp_path, "auth", n=3, level="error", correlation_id="c1")
    assert (shipper.turn(), shipper.turn()) == (4, 0)
    (tmp_path / "positions.json").unlink()
    assert replace(shipper, positions=Positions(tmp_path / "positions.json")).turn() == 4, "sent again"
    assert found(shipper.index) == [0, 1, 2, 3]
    assert found(shipper.index, correlation_id="c1") == [1, 3]
    assert found(shipper.index, correlation_id="c1", service="auth", level="error") == [3]


def test_what_cannot_be_stored_as_it_is_does_not_hold_up_the_rest(shipper: Shipper, tmp_path: Path) -> None:
    write(tmp_path, "crm", n=1)
    write(tmp_path, "crm", n=2, level={"an": "object"})
    write(tmp_path, "crm", n=3, word="\ud800")
    assert (shipper.turn(), shipper.turn()) == (3, 0)
    assert found(shipper.index) == [1, 3]


def test_nothing_is_lost_while_the_store_is_away(shipper: Shipper, tmp_path: Path) -> None:
    write(tmp_path, "crm", n=1)
    away = replace(shipper, index=LogIndex(NOBODY, "nobody"))
    for _ in range(2):
        with pytest.raises(StoreAwayError):
            away.turn()
    write(tmp_path, "crm", n=2)
    assert shipper.turn() == 2
    assert found(shipper.index) == [1, 2]


def test_days_go_when_they_are_old_and_no_sooner(shipper: Shipper, tmp_path: Path) -> None:
    for days in (0, 14, 15, 40):
        write(tmp_path, "crm", timedelta(days=days), n=days)
    shipper.turn()
    assert len(shipper.index.days()) == 4
    assert len(shipper.index.forget(TODAY.date(), 14)) == 2
    assert found(shipper.index) == [14, 0]


async def test_beside_a_fleet_and_searched_by_the_command(
    index: LogIndex, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `flotilla up` starts it and `flotilla down` stops it."""
    instance = replace(Instance.load("test"), documents_prefix=prefix, fleet_folder=tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    write(logs, "crm", timedelta(days=1), event="long.ago", correlation_id="c1")
    write(logs, "crm", event="went.wrong", level="error", correlation_id="c1")
    write(logs, "auth", event="went.well", correlation_id="c1")
    fleet = Fleet(instance)

    async def there() -> bool:
        assert fleet.processes.alive(LOG_SHIPPER), fleet.processes.tail(LOG_SHIPPER)
        return bool(index.days()) and len(found(index)) == 3

    assert fleet.start_log_shipper()
    try:
        await eventually(there, seconds=60, what="all lines in the store")
    finally:
        await fleet.stop_log_shipper()
    assert not fleet.processes.alive(LOG_SHIPPER)

    monkeypatch.setattr(Instance, "load", lambda *_: instance)

    def said(*arguments: str) -> str:
        shown = CliRunner().invoke(app, ["logs", "--correlation", "c1", *arguments])
        assert shown.exit_code == 0, shown.output
        return shown.output

    recent = said("--since", "3h")
    assert [event in recent for event in ("went.wrong", "went.well", "long.ago")] == [True, True, False]
    assert "long.ago" in said("--since", "3d", "--service", "crm")
    errors = said("--since", "3d", "--level", "error")
    assert [event in errors for event in ("went.wrong", "went.well", "long.ago")] == [True, False, False]
