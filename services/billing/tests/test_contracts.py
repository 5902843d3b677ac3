"""What the gateway needs to hear of plans: requests of programs, an organization's own terms, the end of a refusal."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.cli.terms import agree, parsed
from flotilla.events.auth import UserCreated, UserDeactivated
from flotilla.events.billing import EntitlementChanged, UsageLimitReached
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.billing.tests.conftest import Firm


async def _requests(billing: Harness, org: UUID, limit: int | None) -> EntitlementChanged:
    told = await billing.spy.expect(
        EntitlementChanged,
        lambda event: (event.org, event.data.feature, event.data.limit) == (org, "api_requests", limit),
    )
    return told.data


async def test_plans_say_how_much_programs_may_ask(billing: Harness, firm: Firm) -> None:
    told = await _requests(billing, firm.org, 1000)
    assert (told.enabled, told.beyond, told.resets, told.used) == (True, "block", False, 0)
    await firm.client.put("/v1/subscription", {"plan": "free"})
    told = await _requests(billing, firm.org, 100)
    assert told.changed == {"limit": [1000, 100]}


async def test_an_enterprises_own_terms_count_while_it_is_one(billing: Harness, firm: Firm) -> None:
    await agree(billing.instance, firm.org, {"api_requests": 25_000, "ai_requests": None})
    await firm.client.put("/v1/subscription", {"plan": "enterprise"})
    await _requests(billing, firm.org, 25_000)
    usage = (await firm.client.get("/v1/usage")).json()["items"]
    assert next(each["limit"] for each in usage if each["feature"] == "ai_requests") is None
    await agree(billing.instance, firm.org, {"api_requests": 50_000})
    await _requests(billing, firm.org, 50_000)
    await firm.client.put("/v1/subscription", {"plan": "pro"})
    await billing.spy.expect(
        EntitlementChanged,
        lambda event: event.org == firm.org and event.data.changed.get("limit") == [50_000, 1000],
    )


@pytest.mark.parametrize("text", ["api_requests", "api_requests=-1", "nothing=5", "seats=many"])
def test_terms_that_say_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"FEATURE=NUMBER|no plan"):
        parsed([text])
    assert parsed(["seats=40", "api_requests=unlimited"]) == {"seats": 40, "api_requests": None}


async def test_a_seat_given_back_is_told_of_where_it_had_been_refused(billing: Harness, firm: Firm) -> None:
    await firm.client.put("/v1/subscription", {"plan": "free"})
    people = [new_id() for _ in range(3)]
    person: dict[str, Any] = {"email": None, "name": None, "role": "team_member", "locale": "en"}
    for each in people:
        joined = UserCreated(user_id=each, state="active", **person)
        await billing.publish(joined, org=firm.org, sequence=1)
    full = await billing.spy.expect(
        UsageLimitReached,
        lambda event: (event.org, event.data.feature, event.data.percent) == (firm.org, "seats", 100),
    )
    assert (full.data.blocked, full.data.resets) == (True, False)
    left = UserDeactivated(user_id=people[0], state="deactivated", **person)
    await billing.publish(left, org=firm.org, sequence=2)
    freed = await billing.spy.expect(
        EntitlementChanged, lambda event: event.org == firm.org and event.data.changed.get("used") == [3, 2]
    )
    assert freed.sequence > full.sequence
    assert msgspec.to_builtins(freed.data)["limit"] == 3
