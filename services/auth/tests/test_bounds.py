"""A plan bounds how long an organization keeps things: told in time, and lifted without a loss."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.billing import EntitlementChanged
from flotilla.events.privacy import RetentionChanged
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.privacy.kinds import KINDS, period_of
from flotilla.testing import Harness, eventually
from flotilla_auth.bounds import AGAIN, GRACE, NOTICE
from flotilla_auth.testing import Person

PATH = "/v1/retention"


async def allows(
    auth: Harness, owner: Person, sequence: int, days: int | None, *, enabled: bool = True
) -> None:
    """Billing says so, and auth has acted on it."""
    now = datetime.now(UTC)
    told = EntitlementChanged(
        entitlement_id=new_id(),
        feature="history_days",
        enabled=enabled,
        limit=days,
        used=0,
        beyond="block",
        resets=False,
        period_started_at=now,
        period_ends_at=now + timedelta(days=30),
    )
    await auth.publish(told, org=owner.org, sequence=sequence)

    async def known() -> bool:
        async with auth.app.db.transaction(owner.org) as tx:
            found = await tx.fetchval("SELECT bound_sequence FROM retention")
        return bool(found == sequence)

    await eventually(known, what="auth has heard of the plan")


def warnings(auth: Harness, org: UUID) -> list[Any]:
    return [event for event in auth.spy.of(NotificationRequested, org) if event.data.kind == NOTICE]


async def test_a_shorter_bound_is_told_and_holds_after_a_month(auth: Harness, owner: Person) -> None:
    await allows(auth, owner, 1, 1825)
    await allows(auth, owner, 2, 365)
    told = await auth.spy.expect(
        RetentionChanged, lambda event: event.org == owner.org and event.data.bound_days == 365
    )
    assert told.data.changed["bound_days"] == [1825, 365]
    assert told.data.bound_from is not None
    assert abs(told.data.bound_from - GRACE - datetime.now(UTC)) < timedelta(minutes=5)
    warned = await auth.spy.expect(
        NotificationRequested, lambda event: event.org == owner.org and event.data.kind == NOTICE
    )
    assert warned.data.user_id == owner.id
    assert told.data.bound_from.date().isoformat() in (warned.data.title or "")
    shown = (await owner.client.get(PATH)).json()
    plan = {each["kind"]: each["plan_days"] for each in shown["kinds"]}
    assert (plan["messages"], plan["invoices"], plan["privacy_requests"]) == (365, None, None)
    assert datetime.fromisoformat(shown["plan_from"]) == told.data.bound_from

    async with auth.app.db.transaction(owner.org) as tx:
        due = await tx.fetchval(
            "SELECT due_at FROM jobs WHERE organization_id = $1 AND kind = 'retention_bound'", owner.org
        )
        assert due == told.data.bound_from - AGAIN
        await tx.execute("UPDATE jobs SET due_at = now() WHERE kind = 'retention_bound'")
    auth.app.jobs_wake.set()

    async def reminded() -> bool:
        return len(warnings(auth, owner.org)) == 2

    await eventually(reminded, what="owners are told once more")


async def test_who_takes_a_longer_one_meanwhile_loses_nothing_and_hears_no_more(
    auth: Harness, owner: Person
) -> None:
    await allows(auth, owner, 1, 1825)
    await allows(auth, owner, 2, 365)
    await allows(auth, owner, 3, None)
    await auth.spy.expect(
        RetentionChanged,
        lambda event: (
            event.org == owner.org
            and event.data.changed.get("bound_from", 0) != 0
            and event.data.bound_days is None
        ),
    )
    assert (await owner.client.get(PATH)).json()["plan_from"] is None
    async with auth.app.db.transaction(owner.org) as tx:
        await tx.execute("UPDATE jobs SET due_at = now() WHERE kind = 'retention_bound'")
    auth.app.jobs_wake.set()

    async def done() -> bool:
        async with auth.app.db.transaction(owner.org) as tx:
            return not await tx.fetchval(
                "SELECT count(*) FROM jobs WHERE organization_id = $1 AND kind = 'retention_bound'", owner.org
            )

    await eventually(done, what="the reminder has had its time")
    assert len(warnings(auth, owner.org)) == 1


async def test_what_is_said_late_or_by_mistake_bounds_nothing(auth: Harness, owner: Person) -> None:
    await allows(auth, owner, 5, 1825)
    await allows(auth, owner, 6, 0, enabled=False)
    shown = (await owner.client.get(PATH)).json()
    assert shown["plan_from"] is None
    assert {each["plan_days"] for each in shown["kinds"]} == {None}
    assert warnings(auth, owner.org) == [], "who has just begun has nothing to lose"


@pytest.mark.parametrize(
    ("kind", "wished", "bound", "days"),
    [
        ("messages", None, None, None),
        ("messages", None, 365, 365),
        ("messages", 30, 365, 30),
        ("messages", 730, 365, 365),
        ("calls", 3650, 365, 365),
        ("notes", None, 1, KINDS["notes"].least),
        ("invoices", None, 365, None),
        ("privacy_requests", 1095, 365, 1095),
        ("automation_runs", 90, 7, 90),
    ],
)
def test_the_smaller_counts_and_never_less_than_law_asks(
    kind: str, wished: int | None, bound: int | None, days: int | None
) -> None:
    assert period_of(kind, {kind: wished}, bound) == days
