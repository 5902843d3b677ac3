"""The command, on checkouts of its own: what it prints, what it refuses, what it exits with."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from flotilla.cli import app, screen
from flotilla.cli.log_lines import LogFile, Wanted, latest
from flotilla.fleet import Fleet
from flotilla.ids import new_id
from flotilla.instance import Instance, project_root
from flotilla.testing import synthetic
from flotilla.testing.isolation import isolated
from typer.testing import CliRunner, Result


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's instances, two services, nothing running."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "instances").symlink_to(project_root() / "deploy" / "instances")
    for service in ("auth", "crm"):
        (tmp_path / "services" / service).mkdir(parents=True)
        (tmp_path / "services" / service / "pyproject.toml").touch()
    monkeypatch.setenv("FLOTILLA_ROOT", str(tmp_path))
    return tmp_path


def flotilla(*arguments: str) -> Result:
    screen.console.width = screen.errors.width = 300  # a test worker's terminal is narrow
    return CliRunner().invoke(app, arguments)


def write_log(checkout: Path, service: str, *lines: dict[str, str] | str) -> Path:
    path = checkout / ".flotilla" / "dev" / "logs" / f"{service}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps({"service": service, **line})) + "\n")
    return path


def test_status_shows_servers_and_the_services_that_exist(checkout: Path) -> None:
    shown = flotilla("status").output
    for name in ("postgres", "rabbitmq", "redis", "documents", "auth", "crm"):
        assert f"\n{name} " in shown
    assert "messaging" not in shown
    assert "running" not in shown


def test_down_of_what_is_down_is_fine_twice(checkout: Path) -> None:
    assert flotilla("down").exit_code == 0
    assert flotilla("down").exit_code == 0


def test_an_unknown_instance_is_refused_with_the_known_ones(checkout: Path) -> None:
    refused = flotilla("status", "-i", "prod")
    assert refused.exit_code == 1
    assert "dev, test" in refused.output


def test_what_needs_a_server_says_how_to_start_it(checkout: Path) -> None:
    path = checkout / "deploy" / "instances"
    text = (path / "dev.toml").read_text().replace("postgres = 7432", "postgres = 1")
    path.unlink()
    path.mkdir()
    (path / "dev.toml").write_text(text)
    refused = flotilla("parked", "list")
    assert refused.exit_code == 1
    assert "flotilla up -i dev" in refused.output


def test_logs_of_all_services_are_merged_by_time(checkout: Path) -> None:
    write_log(
        checkout,
        "auth",
        {"ts": "2026-01-01T10:00:01Z", "event": "first"},
        {"ts": "2026-01-01T10:00:03Z", "event": "third"},
    )
    write_log(
        checkout,
        "crm",
        {"ts": "2026-01-01T10:00:02Z", "event": "second"},
        "a traceback's line",
        {"ts": "2026-01-01T10:00:04Z", "event": "fourth"},
    )
    shown = flotilla("logs").output
    places = [shown.index(word) for word in ("first", "second", "traceback", "third", "fourth")]
    assert places == sorted(places)


def test_logs_are_filtered_by_organization_and_flow(checkout: Path) -> None:
    write_log(
        checkout,
        "auth",
        {"ts": "1", "event": "ours", "org": "a", "correlation_id": "x"},
        {"ts": "2", "event": "theirs", "org": "b", "correlation_id": "x"},
        {"ts": "3", "event": "another", "org": "a", "correlation_id": "y"},
        "no JSON at all",
    )
    assert "theirs" not in (shown := flotilla("logs", "--org", "a").output)
    assert "ours" in shown
    assert "another" in shown
    shown = flotilla("logs", "auth", "--org", "a", "--correlation", "x").output
    assert [word in shown for word in ("ours", "theirs", "another", "JSON")] == [True, False, False, False]


def test_logs_of_a_stranger_are_refused_with_the_known_names(checkout: Path) -> None:
    refused = flotilla("logs", "nginx")
    assert refused.exit_code == 1
    assert "auth, crm" in refused.output
    assert "postgres" in refused.output


def test_a_followed_log_gives_each_line_once_whole_and_survives_a_new_file(checkout: Path) -> None:
    path = write_log(checkout, "auth", {"event": "one"})
    followed = [LogFile("auth", path)]

    def heard() -> list[str]:
        return [str(line.fields.get("event")) for line in latest(followed, Wanted(), 100)]

    assert heard() == ["one"]
    assert heard() == []
    with path.open("a") as file:
        file.write('{"event": "tw')
    assert heard() == []
    with path.open("a") as file:
        file.write('o"}\n')
    assert heard() == ["two"]
    path.unlink()
    write_log(checkout, "auth", {"event": "3"})
    assert heard() == ["3"]


@pytest.mark.parametrize("line", ["{", "{}", "[1]", '{"ts": 7}', "\x1b[31mred\x1b[0m"])
def test_no_line_is_too_odd_to_be_shown(checkout: Path, line: str) -> None:
    write_log(checkout, "auth", line)
    assert flotilla("logs", "auth").exit_code == 0


def test_an_error_is_shown_with_its_innermost_frames(checkout: Path) -> None:
    frames = [{"filename": "store.py", "lineno": 7, "name": "rename"}]
    error = {"exc_type": "KeyError", "exc_value": "'name'", "frames": frames}
    write_log(checkout, "auth", json.dumps({"event": "handler.failed", "exception": [error]}))
    shown = flotilla("logs", "auth").output
    assert "store.py:7 in rename" in shown
    assert "KeyError: 'name'" in shown


async def test_a_service_that_dies_at_its_start_shows_its_last_words(checkout: Path) -> None:
    fleet = Fleet(Instance.load("dev", checkout))
    dies = [sys.executable, "-c", "raise SystemExit('the database says no')"]
    fleet.processes.start("auth", dies, {})
    with pytest.raises(Exception, match="ended while it was starting") as died:
        await fleet.wait_ready("auth")
    assert "the database says no" in died.value.tail  # type: ignore[attr-defined]


@pytest.fixture
async def crm(worker: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Instance]:
    """A migrated service of this worker's own, which the command takes for its instance."""
    async with isolated(synthetic.service, worker) as instance:
        monkeypatch.setattr(Instance, "load", lambda name: instance)
        yield instance


async def park(instance: Instance) -> str:
    event = new_id()
    connection = await asyncpg.connect(instance.runtime_dsn("crm"))
    await connection.execute(
        "INSERT INTO parked_events (event_id, handler, lane, type, organization_id, body, state, error, stack)"
        " VALUES ($1, 'keep_contact', 'main', 'contact.created.v1', $2, $3, 'parked', 'KeyError', 'line 7')",
        event,
        new_id(),
        b'{"subject": "a contact"}',
    )
    await connection.close()
    return str(event)


async def test_a_parked_event_is_listed_shown_replayed_and_discarded(crm: Instance) -> None:
    event = await park(crm)

    async def says(*arguments: str) -> str:
        return (await asyncio.to_thread(flotilla, "parked", *arguments)).output

    assert event in await says("list", "crm", "--state", "parked")
    shown = await says("show", "crm", event)
    assert "a contact" in shown
    assert "line 7" in shown
    assert "1 handler" in await says("replay", "crm", event)
    assert event in await says("list", "crm", "--state", "retrying")
    assert "discarded" in await says("discard", "crm", event, "--yes")
    assert "nothing is parked" in await says("list", "crm")
    assert "no parked event" in await says("discard", "crm", event, "--yes")
