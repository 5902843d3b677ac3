"""Reports: saved, asked on request and by schedule, written as files, fetched by links that end."""

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.analytics import ReportReady
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_analytics.domain.exports import pieces
from flotilla_analytics.domain.reports import Period, Schedule, days_of

from services.analytics.tests.conftest import Events

NOW = datetime.now(UTC)
VOLUME = {
    "name": "Messages",
    "measure": "message_volume",
    "dimensions": ["channel", "direction"],
    "period": "this_year",
}


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


async def filled(analytics: Harness, org: UUID, events: Events) -> Client:
    """An organization with three messages on two channels, folded."""
    for channel in ("telegram", "telegram", "=1+1"):
        await analytics.publish(events.received(channel=channel, sent_at=NOW), org=org)
    client = analytics.client(org)
    query = f"metric=message_volume&from={NOW.date()}&to={NOW.date() + timedelta(days=1)}"

    async def counted() -> bool:
        groups = (await client.get(f"/v1/analytics/metrics?{query}")).json()["groups"]
        return [group["count"] for group in groups] == [3]

    await eventually(counted, what="three messages")
    return client


async def saved(client: Client, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/reports", VOLUME | changes)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def made(client: Client, report: dict[str, Any]) -> dict[str, Any]:
    """A run of it that came to its end."""
    answer = await client.post(f"/v1/reports/{report['id']}/runs")
    assert answer.status == 202, answer.body
    path = f"/v1/reports/{report['id']}/runs/{answer.json()['id']}"

    async def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = (await client.get(path)).json()
        return run if run["state"] != "running" else None

    run = await eventually(ended, what="the report")
    assert run is not None
    return run


def path_of(url: str) -> str:
    return url[url.index("/v1/") :]


async def test_a_report_is_made_told_and_fetched(analytics: Harness, org: UUID, events: Events) -> None:
    client = await filled(analytics, org, events)
    colleague = new_id()
    report = await saved(client, recipients=[str(colleague)])
    run = await made(client, report)
    assert (run["state"], run["rows"]) == ("ready", 2)
    event = await analytics.spy.expect(ReportReady, lambda event: event.org == org)
    assert (str(event.data.run_id), event.data.rows, event.data.size) == (run["id"], 2, run["size"])
    assert event.data.requested_by == client.user_id
    for person in (client.user_id, colleague):
        told = await analytics.spy.expect(NotificationRequested, partial(_is_to, person))
        assert (told.data.kind, told.data.title) == ("report.ready", "Messages")
        assert told.data.link == f"/reports/{report['id']}/runs/{run['id']}"
    file = await analytics.anonymous().get(path_of(run["url"]))
    assert (file.status, len(file.body)) == (200, run["size"])
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(file.body.decode("utf-8-sig"))))
    assert rows[0] == ["period_from", "channel", "direction", "count", "message_volume (count)"]
    first = f"{NOW.year}-01-01"
    assert rows[1:] == [[first, "'=1+1", "inbound", "1", "1"], [first, "telegram", "inbound", "2", "2"]]


def _is_to(person: UUID, event: Received[NotificationRequested]) -> bool:
    return event.data.user_id == person


async def test_other_formats_say_the_same(analytics: Harness, org: UUID, events: Events) -> None:
    client = await filled(analytics, org, events)
    as_json = await made(client, await saved(client, format="json", granularity="day"))
    told = json.loads((await analytics.anonymous().get(path_of(as_json["url"]))).body)
    assert [(row["period_from"], row["channel"], row["count"]) for row in told] == [
        (str(NOW.date()), "=1+1", 1),
        (str(NOW.date()), "telegram", 2),
    ]
    as_xlsx = await made(client, await saved(client, format="xlsx", filters={"channel": "telegram"}))
    file = await analytics.anonymous().get(path_of(as_xlsx["url"]))
    with zipfile.ZipFile(io.BytesIO(file.body)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row") == 2
    assert "<f>" not in sheet


async def test_links_cannot_be_made_or_led_elsewhere(analytics: Harness, org: UUID, events: Events) -> None:
    client = await filled(analytics, org, events)
    report = await saved(client)
    run = await made(client, report)
    nobody, url = analytics.anonymous(), path_of(run["url"])
    for wrong in (url[:-2] + "AA", url + "x", "/v1/reports/files/guess", "/v1/reports/files/" + "A" * 75):
        assert (await nobody.get(wrong)).status == 404, wrong
    assert (await client.delete(f"/v1/reports/{report['id']}")).status == 204
    assert (await nobody.get(url)).status == 410
    other = analytics.client(new_id())
    mine = await saved(client)
    for path in (f"/v1/reports/{mine['id']}", f"/v1/reports/{mine['id']}/runs"):
        assert (await other.get(path)).status == 404
    assert (await other.post(f"/v1/reports/{mine['id']}/runs")).status == 404


async def test_a_file_is_removed_when_its_time_is_over(analytics: Harness, org: UUID, events: Events) -> None:
    client = await filled(analytics, org, events)
    report = await saved(client)
    run = await made(client, report)
    async with analytics.app.db.transaction(org) as tx:
        await tx.execute("UPDATE report_runs SET expires_at = now() WHERE organization_id = $1", org)
    await analytics.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE kind = 'report_expired' AND key = $1", run["id"]
    )

    async def gone() -> bool:
        path = f"{org}/sales-reports/{run['id']}/report.csv"
        return await analytics.app.own.files.size(path) is None

    await eventually(gone, what="the file is removed")
    shown = (await client.get(f"/v1/reports/{report['id']}/runs/{run['id']}")).json()
    assert (shown["state"], shown["url"]) == ("expired", None)
    assert (await analytics.anonymous().get(path_of(run["url"]))).status == 410


async def test_a_schedule_makes_it_and_sets_the_next_time(
    analytics: Harness, org: UUID, events: Events
) -> None:
    client = await filled(analytics, org, events)
    schedule = {"every": "week", "weekday": 1, "hour": 7, "time_zone": "Europe/Kyiv"}
    report = await saved(client, schedule=schedule, recipients=[str(new_id())])
    key = report["id"]
    ring = "UPDATE jobs SET due_at = now() WHERE kind = 'report_due' AND key = $1"
    await analytics.app.db.execute(ring, key)
    event = await analytics.spy.expect(ReportReady, lambda event: str(event.data.report_id) == key)
    assert event.data.requested_by is None
    due = "SELECT due_at FROM jobs WHERE kind = 'report_due' AND key = $1"
    assert await analytics.app.db.fetchval(due, key) > datetime.now(UTC)
    assert (await client.put(f"/v1/reports/{key}", VOLUME)).status == 200
    assert await analytics.app.db.fetchval(due, key) is None
    (run,) = (await client.get(f"/v1/reports/{key}/runs")).json()["items"]
    assert run["requested_by"] is None


async def test_a_metric_that_is_asked_for_must_be_there(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    for wrong in (
        {"measure": "custom:nothing"},
        {"measure": "revenue_won", "dimensions": ["owner_id"]},
        {"dimensions": ["weather"]},
        {"filters": {"owner_id": "x"}},
        {"period": "since_ever"},
        {"format": "pdf"},
        {"schedule": {"every": "week", "time_zone": "Mars/Olympus"}},
        {"schedule": {"every": "week", "hour": 24}},
        {"name": ""},
    ):
        answer = await client.post("/v1/reports", VOLUME | wrong)
        assert answer.status == 422, (wrong, answer.body)
    names = {measure["name"] for measure in (await client.get("/v1/measures")).json()}
    assert {"deals_won", "revenue_won", "nps", "message_volume"} <= names
    assert (await analytics.client(org, "viewer").post("/v1/reports", VOLUME)).status == 403


@pytest.mark.parametrize("format_", ["csv", "json", "xlsx"])
def test_long_tables_are_written_in_pieces(format_: str) -> None:
    rows = ((f"row {number}", number, None) for number in range(20_000))
    written = list(pieces(format_, ("name", "count", "nothing"), rows))
    assert len(written) > 3
    assert b"".join(pieces("json", ("a",), ())) == b"[]\n"


def test_periods_are_those_before_the_day() -> None:
    day = date(2026, 3, 15)
    assert days_of(Period.LAST_7_DAYS, day) == (date(2026, 3, 8), day)
    assert days_of(Period.THIS_MONTH, day) == (date(2026, 3, 1), date(2026, 3, 16))
    assert days_of(Period.LAST_MONTH, day) == (date(2026, 2, 1), date(2026, 3, 1))
    assert days_of(Period.LAST_QUARTER, day) == (date(2025, 10, 1), date(2026, 1, 1))
    assert days_of(Period.LAST_YEAR, day) == (date(2025, 1, 1), date(2026, 1, 1))


def test_schedules_go_by_the_wall_clock() -> None:
    weekly = Schedule("week", 7, "Europe/Berlin", weekday=1)
    # The clocks are put forward on 29 March 2026: 07:00 is 06:00 UTC before it and 05:00 UTC after.
    assert weekly.next_after(datetime(2026, 3, 20, tzinfo=UTC)) == datetime(2026, 3, 23, 6, tzinfo=UTC)
    assert weekly.next_after(datetime(2026, 3, 23, 6, tzinfo=UTC)) == datetime(2026, 3, 30, 5, tzinfo=UTC)
    monthly = Schedule("month", 0, "UTC", day=28)
    assert monthly.next_after(datetime(2026, 2, 28, tzinfo=UTC)) == datetime(2026, 3, 28, tzinfo=UTC)
    skipped = Schedule("day", 2, "Europe/Berlin")
    assert skipped.next_after(datetime(2026, 3, 29, 0, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)
