"""Subscriptions, what they allow, and what was used of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.ai import UsageRecorded
from flotilla.events.auth import UserCreated, UserDeactivated
from flotilla.events.billing import (
    EntitlementChanged,
    SubscriptionCreated,
    SubscriptionUpdated,
    UsageLimitReached,
)
from flotilla.events.integrations import IntegrationConnected
from flotilla.events.sharing import (
    OrganizationGrantAccepted,
    OrganizationGrantCreated,
    OrganizationGrantRevoked,
)
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.clock import same_hour
from flotilla_billing.domain.plans import edition, plans
from flotilla_billing.keeping_up import keep_up

from services.billing.tests.conftest import Firm, organization

BY_OTHER_PLANS = "UPDATE subscribers SET edition = 'before' WHERE organization_id = $1"


@pytest.fixture(autouse=True)
async def _one_month() -> None:
    """What is used in a test is used in one period."""
    await same_hour()


def _used(requests: int, tokens: int = 0, at: datetime | None = None) -> UsageRecorded:
    at = at or datetime.now(UTC)
    return UsageRecorded(
        usage_id=new_id(),
        provider="local",
        model="rules",
        requests=requests,
        input_tokens=tokens,
        output_tokens=0,
        started_at=at - timedelta(seconds=10),
        ended_at=at,
    )


async def _usage(billing: Harness, org: UUID, feature: str) -> dict[str, Any]:
    items = (await billing.client(org).get("/v1/usage")).json()["items"]
    return next(each for each in items if each["feature"] == feature)


async def _until_used(billing: Harness, org: UUID, feature: str, used: int) -> None:
    async def counted() -> bool:
        return bool((await _usage(billing, org, feature))["used"] == used)

    await eventually(counted, what=f"{used} {feature} used")


async def test_every_organization_begins_with_one_trial(billing: Harness, firm: Firm) -> None:
    event = await billing.spy.expect(SubscriptionCreated, lambda event: event.org == firm.org)
    assert (event.data.plan, event.data.state, event.data.provider) == ("pro", "trialing", "local")
    assert event.envelope.audience is None
    shown = (await firm.client.get("/v1/subscription")).json()
    assert shown["state"] == "trialing"
    granted = [each.data.feature for each in billing.spy.of(EntitlementChanged, firm.org)]
    assert sorted(granted) == sorted(plans().features)
    await billing.publish(organization(firm.org), org=firm.org, sequence=1)
    await billing.publish(_used(1), org=firm.org)
    await _until_used(billing, firm.org, "ai_requests", 1)
    assert len(billing.spy.of(SubscriptionCreated, firm.org)) == 1


async def test_a_trial_ends_by_itself(billing: Harness, firm: Firm) -> None:
    await billing.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE kind = 'trial_ends' AND organization_id = $1", firm.org
    )
    event = await billing.spy.expect(SubscriptionUpdated, lambda event: event.org == firm.org)
    assert (event.data.plan, event.data.state, event.data.trial_ends_at) == ("free", "active", None)
    kyb = await billing.spy.expect(
        EntitlementChanged,
        lambda event: event.org == firm.org and event.data.feature == "kyb" and not event.data.enabled,
    )
    assert kyb.data.changed["enabled"] == [True, False]


async def test_usage_is_exact_however_often_it_is_told(billing: Harness, firm: Firm) -> None:
    await firm.client.put("/v1/subscription", {"plan": "free"})
    records = [_used(39, tokens=10) for _ in range(10)]
    for record in records:
        event_id = await billing.publish(record, org=firm.org, sequence=1)
        await billing.publish(record, org=firm.org, sequence=1, event_id=event_id)  # redelivered
        await billing.publish(record, org=firm.org, sequence=1)  # replayed long after, under another id
    await _until_used(billing, firm.org, "ai_requests", 390)
    await _until_used(billing, firm.org, "ai_tokens", 100)
    assert billing.spy.of(UsageLimitReached, firm.org) == []

    await billing.publish(_used(10), org=firm.org)
    warned = await billing.spy.expect(UsageLimitReached, lambda event: event.org == firm.org)
    assert (warned.data.percent, warned.data.used, warned.data.limit) == (80, 400, 500)
    assert not warned.data.blocked
    await billing.publish(_used(100), org=firm.org)
    full = await billing.spy.expect(
        UsageLimitReached, lambda event: event.org == firm.org and event.data.percent == 100
    )
    assert full.data.blocked
    assert full.sequence > warned.sequence
    usage = await _usage(billing, firm.org, "ai_requests")
    assert (usage["used"], usage["percent"], usage["blocked"]) == (500, 100.0, True)
    await billing.publish(_used(7), org=firm.org)
    await _until_used(billing, firm.org, "ai_requests", 507)
    assert [each.data.percent for each in billing.spy.of(UsageLimitReached, firm.org)] == [80, 100]


async def test_a_jump_past_both_shares_tells_of_both(billing: Harness, firm: Firm) -> None:
    await firm.client.put("/v1/subscription", {"plan": "free"})
    await billing.publish(_used(501), org=firm.org)
    await billing.spy.expect(
        UsageLimitReached, lambda event: event.org == firm.org and event.data.percent == 100
    )
    told = billing.spy.of(UsageLimitReached, firm.org)
    assert [each.data.percent for each in sorted(told, key=lambda each: each.sequence)] == [80, 100]


async def test_late_usage_counts_in_its_own_month(billing: Harness, firm: Firm) -> None:
    now = datetime.now(UTC)
    last_month = now.replace(day=1) - timedelta(days=2)
    await billing.publish(_used(5, at=last_month), org=firm.org)
    await billing.publish(_used(3), org=firm.org)
    await _until_used(billing, firm.org, "ai_requests", 3)
    history = (await firm.client.get("/v1/usage")).json()["history"]
    months = [(each["period_started_at"][:7], each["used"]) for each in history]
    assert months == [(f"{now:%Y-%m}", 3), (f"{last_month:%Y-%m}", 5)]


async def test_past_the_limit_overage_is_reckoned(billing: Harness, firm: Firm) -> None:
    await billing.publish(_used(21_001), org=firm.org)
    await _until_used(billing, firm.org, "ai_requests", 21_001)
    usage = await _usage(billing, firm.org, "ai_requests")
    assert (usage["blocked"], usage["overage"]) == (False, {"amount_minor": 200, "currency": "EUR"})


async def test_organizations_that_one_looks_after_are_counted(billing: Harness, firm: Firm) -> None:
    child, grant_id = new_id(), new_id()
    given: dict[str, Any] = {
        "grantor_id": child,
        "grantee_id": firm.org,
        "permissions": [],
        "expires_at": None,
    }
    grant: dict[str, Any] = {"grant_id": grant_id, "kind": "administration", **given}
    await billing.publish(OrganizationGrantCreated(state="offered", **grant), org=firm.org, sequence=1)
    await billing.publish(OrganizationGrantAccepted(state="active", **grant), org=firm.org, sequence=2)
    read = {**grant, "grant_id": new_id(), "kind": "data", "permissions": ["deals:read"]}
    await billing.publish(OrganizationGrantCreated(state="active", **read), org=firm.org, sequence=1)
    await _until_used(billing, firm.org, "child_organizations", 1)
    assert (await _usage(billing, firm.org, "child_organizations"))["enabled"] is False, "of the trial's plan"
    ended = OrganizationGrantRevoked(state="revoked", revoked_at=datetime.now(UTC), revoked_by=child, **grant)
    await billing.publish(ended, org=firm.org, sequence=3)
    await _until_used(billing, firm.org, "child_organizations", 0)


async def test_seats_and_channels_count_while_they_are_there(billing: Harness, firm: Firm) -> None:
    people = [new_id() for _ in range(4)]
    for number, person in enumerate(people):
        role = "viewer" if number == 3 else "team_member"
        joined = UserCreated(user_id=person, email=None, name=None, role=role, locale="en", state="active")
        await billing.publish(joined, org=firm.org, sequence=1)
        await billing.publish(joined, org=firm.org, sequence=1)
    await _until_used(billing, firm.org, "seats", 3)
    left = UserDeactivated(
        user_id=people[0], email=None, name=None, role="team_member", locale="en", state="deactivated"
    )
    await billing.publish(left, org=firm.org, sequence=3)
    await _until_used(billing, firm.org, "seats", 2)
    account = IntegrationConnected(
        account_id=new_id(),
        connector="telegram",
        name="Shop",
        state="connected",
        reason=None,
    )
    await billing.publish(account, org=firm.org, sequence=2)
    await _until_used(billing, firm.org, "channels", 1)


async def test_a_plan_is_changed_by_those_who_may(billing: Harness, firm: Firm) -> None:
    listed = (await firm.client.get("/v1/plans")).json()["items"]
    assert [each["slug"] for each in listed] == ["free", "pro", "enterprise"]
    member = billing.client(firm.org, role="team_member")
    assert (await member.put("/v1/subscription", {"plan": "enterprise"})).status == 403
    assert (await firm.client.put("/v1/subscription", {"plan": "gold"})).status == 422
    for _ in range(2):
        assert (await firm.client.put("/v1/subscription", {"plan": "enterprise"})).json()["state"] == "active"
    assert len(billing.spy.of(SubscriptionUpdated, firm.org)) <= 1
    await billing.spy.expect(
        EntitlementChanged,
        lambda event: event.org == firm.org and event.data.feature == "seats" and event.data.limit is None,
    )
    stranger = billing.client(new_id())
    assert (await stranger.get("/v1/subscription")).status == 404
    assert (await stranger.get("/v1/usage")).status == 404


async def test_changed_plans_reach_who_has_them_once(billing: Harness, firm: Firm) -> None:
    """As after a deploy: by the plans before, one feature had another limit and one was not there."""
    org = firm.org

    async def granted() -> bool:
        return len(billing.spy.of(EntitlementChanged, org)) == len(plans().features)

    await eventually(granted, what="the trial is told")

    async def deploy(*statements: str) -> None:
        async with billing.app.db.transaction(org) as tx:
            for statement in (*statements, BY_OTHER_PLANS):
                await tx.execute(statement, org)
        await keep_up(billing.app)

    await deploy(
        "UPDATE entitlements SET usage_limit = 1 WHERE organization_id = $1 AND feature = 'rules'",
        "DELETE FROM entitlements WHERE organization_id = $1 AND feature = 'history_days'",
    )
    await deploy()
    assert (await firm.client.put("/v1/subscription", {"plan": "enterprise"})).status == 200
    rules = [
        await billing.spy.expect(
            EntitlementChanged,
            lambda event: (event.org, event.data.feature, event.sequence) == (org, "rules", sequence),  # noqa: B023
        )
        for sequence in (1, 2, 3)
    ]
    pro, enterprise = (plans().plans[slug].features["rules"].limit for slug in ("pro", "enterprise"))
    changes = [each.data.changed.get("limit") for each in rules]
    assert changes == [None, [1, pro], [pro, enterprise]], (
        "brought into line once, then changed with the plan"
    )
    assert rules[1].envelope.actor == "service:billing"

    async def gained() -> bool:
        told = [each.data.feature for each in billing.spy.of(EntitlementChanged, org)]
        return told.count("history_days") == 3

    await eventually(gained, what="granted, granted anew, and changed with the plan")
    known = await billing.app.db.fetchval("SELECT edition FROM subscribers WHERE organization_id = $1", org)
    assert known == edition()
