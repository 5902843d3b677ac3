"""People and organizations are erased: their keys are destroyed, and the archive is as long as it was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.auth import InvitationAccepted, InvitationCreated
from flotilla.events.crm import ContactCreated, TaskCreated
from flotilla.events.privacy import ErasureCompleted, ErasureRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("analytics") as harness:
        yield harness


def _wish(**about: Any) -> ErasureRequested:
    empty: dict[str, Any] = {"contact_ids": [], "identity_ids": [], "user_ids": []}
    return ErasureRequested(
        request_id=new_id(),
        services=["analytics"],
        attempt=1,
        asked_at=datetime.now(UTC),
        **{**empty, **about},
    )


async def _archived(analytics: Harness, org: UUID, number: int) -> None:
    async def there() -> bool:
        return await _count(analytics, org, "SELECT count(*) FROM archive") >= number

    await eventually(there, what="the archive has them")


async def _count(analytics: Harness, org: UUID, sql: str) -> int:
    async with analytics.app.db.transaction(org) as tx:
        return int(await tx.fetchval(sql))


LIVING = "SELECT count(*) FROM person_keys WHERE wrapped_key IS NOT NULL"
ARCHIVED = "SELECT count(*) FROM archive WHERE type ~ '^(contact|task|invitation)[.]'"


async def test_an_organization_loses_all_its_keys_and_no_event(analytics: Harness, org: UUID) -> None:
    theirs = new_id()
    for each in (org, theirs):
        await analytics.publish(_contact(new_id()), org=each, sequence=1)
        await _archived(analytics, each, 1)
    assert await _count(analytics, org, LIVING) == 1

    await analytics.publish(_wish(kind="organization"), org=org, sequence=1, cause=Cause.fresh())

    done = await analytics.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert done.data.erased["person_keys"] >= 1
    assert await _count(analytics, org, LIVING) == 0
    assert await _count(analytics, org, ARCHIVED) == 1
    assert await _count(analytics, theirs, LIVING) == 1


async def test_keys_of_what_was_noted_about_a_conversation_go_with_the_person(
    analytics: Harness, org: UUID
) -> None:
    contact, conversation = new_id(), new_id()
    await analytics.publish(_contact(contact), org=org, sequence=1)
    await analytics.publish(_task(conversation), org=org, sequence=1)
    await analytics.publish(_task(new_id()), org=org, sequence=1)
    await _archived(analytics, org, 3)
    assert await _count(analytics, org, LIVING) == 3

    wish = _wish(kind="person", contact_ids=[contact], conversation_ids=(conversation,))
    await analytics.publish(wish, org=org, sequence=1, cause=Cause.fresh())

    await analytics.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert await _count(analytics, org, LIVING) == 1, "of the task about another conversation"


async def test_the_invitation_that_somebody_came_by_goes_with_them(analytics: Harness, org: UUID) -> None:
    user, invitation = new_id(), new_id()
    told: dict[str, Any] = {"email": "w@example.org", "role": "viewer", "invited_by": new_id()}
    expires = datetime.now(UTC)
    created = InvitationCreated(**told, invitation_id=invitation, expires_at=expires, state="pending")
    accepted = InvitationAccepted(
        **told, invitation_id=invitation, expires_at=expires, state="accepted", user_id=user
    )
    other = InvitationCreated(**told, invitation_id=new_id(), expires_at=expires, state="pending")
    for sequence, (event, after) in enumerate(((created, 1), (other, 2), (accepted, 3)), 1):
        await analytics.publish(event, org=org, sequence=sequence)
        await _archived(analytics, org, after)
    assert await _count(analytics, org, LIVING) == 2

    await analytics.publish(_wish(kind="user", user_ids=[user]), org=org, sequence=1, cause=Cause.fresh())

    await analytics.spy.expect(ErasureCompleted, lambda event: event.org == org)
    assert await _count(analytics, org, LIVING) == 1, "of whom it was not"


def _contact(contact_id: UUID) -> ContactCreated:
    return ContactCreated(
        contact_id=contact_id,
        name="Wilhelmina",
        email=None,
        phone=None,
        language=None,
        company_id=None,
        owner_id=None,
        tags=[],
        source="manual",
    )


def _task(conversation_id: UUID) -> TaskCreated:
    return TaskCreated(
        task_id=new_id(),
        title="Look at: Hello, Wilhelmina here",
        state="open",
        assignee_id=None,
        due_at=None,
        contact_id=None,
        company_id=None,
        conversation_id=conversation_id,
        completed_at=None,
    )
