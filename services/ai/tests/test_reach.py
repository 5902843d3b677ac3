"""Drafts of whoever may see and decide some people's only: theirs are those of the conversations that they have."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from flotilla.events.ai import DraftGenerated
from flotilla.events.messaging import ConversationAssigned, MessageReceived
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually

from services.ai.tests.conftest import received

ME, MATE, OTHER = new_id(), new_id(), new_id()
Assign = Callable[[MessageReceived, UUID | None, int], Awaitable[None]]
Drafted = Callable[[], Awaitable[tuple[MessageReceived, UUID]]]


@pytest.fixture
def assign(ai: Harness, org: UUID) -> Assign:
    """`await assign(message, ME, 2)`: its conversation is given to somebody, says its event with this sequence."""

    async def give(message: MessageReceived, whose: UUID | None, sequence: int) -> None:
        told = ConversationAssigned(
            conversation_id=message.conversation_id,
            channel=message.channel,
            account_id=message.account_id,
            identity_id=message.identity_id,
            contact_id=None,
            state="open",
            assignee_id=whose,
            snoozed_until=None,
            opened_at=datetime.now(UTC),
            resolved_at=None,
            ai_enabled=True,
        )
        await ai.publish(told, org=org, sequence=sequence)

    return give


@pytest.fixture
def drafted(ai: Harness, org: UUID) -> Drafted:
    """`await drafted()`: a customer's first message, and the draft that answers it."""

    async def write() -> tuple[MessageReceived, UUID]:
        message = received("Hello", 1, new_id(), new_id(), new_id())
        await ai.publish(message, org=org)
        draft = await ai.spy.expect(DraftGenerated, lambda event: event.data.message_id == message.message_id)
        return message, draft.data.draft_id

    return write


def _client(ai: Harness, org: UUID, reads: str, decides: str | None = None) -> Client:
    grants = {"conversations:read": reads, "drafts:read": reads, "drafts:decide": decides or reads}
    return ai.client(org, "team_member", ME, grants=grants, colleagues=(MATE,))


async def _listed(client: Client) -> set[str]:
    return {item["id"] for item in (await client.get("/v1/drafts")).json()["items"]}


async def _becomes(client: Client, draft_id: UUID, status: int) -> None:
    async def answered() -> bool:
        return (await client.get(f"/v1/drafts/{draft_id}")).status == status

    await eventually(answered, what=f"{status} for the draft")


async def test_whose_conversation_it_is_theirs_is_the_draft(
    ai: Harness, org: UUID, drafted: Drafted, assign: Assign
) -> None:
    drafts: dict[UUID | None, UUID] = {}
    for whose in (ME, MATE, OTHER, None):
        message, drafts[whose] = await drafted()
        if whose is not None:
            await assign(message, whose, 2)
    own, team, everybody = (_client(ai, org, scope) for scope in ("own", "team", "all"))
    await _becomes(own, drafts[ME], 200)
    await _becomes(team, drafts[OTHER], 404)
    await _becomes(team, drafts[MATE], 200)
    seen: list[tuple[Client, set[UUID | None]]] = [
        (own, {ME}),
        (team, {ME, MATE, None}),
        (everybody, {ME, MATE, OTHER, None}),
        (ai.client(org, "team_member"), {ME, MATE, OTHER, None}),
    ]
    for client, owners in seen:
        assert await _listed(client) == {str(drafts[whose]) for whose in owners}
        for whose, draft_id in drafts.items():
            expected = 200 if whose in owners else 404
            assert (await client.get(f"/v1/drafts/{draft_id}")).status == expected
    for whose in (MATE, OTHER, None):
        assert (await own.post(f"/v1/drafts/{drafts[whose]}/approve")).status == 404
    assert (await team.post(f"/v1/drafts/{drafts[OTHER]}/reject")).status == 404
    assert (await own.post(f"/v1/drafts/{drafts[ME]}/approve")).status == 200
    assert (await team.post(f"/v1/drafts/{drafts[MATE]}/reject")).status == 200


async def test_who_reads_all_decides_on_their_own(
    ai: Harness, org: UUID, drafted: Drafted, assign: Assign
) -> None:
    mixed = _client(ai, org, "all", "own")
    (mine, my_draft), (theirs, their_draft) = await drafted(), await drafted()
    await assign(theirs, OTHER, 2)
    refused = await mixed.post(f"/v1/drafts/{my_draft}/approve")
    assert (refused.status, "drafts:decide" in refused.json()["detail"]) == (403, True), "nobody's yet"
    await assign(mine, ME, 2)

    async def approved() -> bool:
        return (await mixed.post(f"/v1/drafts/{my_draft}/approve")).status == 200

    await eventually(approved, what="theirs since the conversation is")
    assert (await mixed.post(f"/v1/drafts/{their_draft}/reject")).status == 403
    assert (await mixed.get(f"/v1/drafts/{their_draft}")).json()["state"] == "generated"


async def test_an_assignment_that_comes_late_or_again_changes_nothing(
    ai: Harness, org: UUID, drafted: Drafted, assign: Assign
) -> None:
    own = _client(ai, org, "own")
    message, draft_id = await drafted()
    await assign(message, ME, 5)
    await _becomes(own, draft_id, 200)
    await assign(message, OTHER, 3)
    await assign(message, ME, 5)
    other, others_draft = await drafted()
    await assign(other, ME, 2)
    await _becomes(own, others_draft, 200)
    assert (await own.get(f"/v1/drafts/{draft_id}")).status == 200, "what was said before counts no more"
    await assign(message, None, 6)
    await _becomes(own, draft_id, 404)
    assert await _listed(own) == {str(others_draft)}


async def test_a_conversation_that_was_given_away_before_its_draft(
    ai: Harness, org: UUID, assign: Assign
) -> None:
    own = _client(ai, org, "own")
    message = received("Hello", 1, new_id(), new_id(), new_id())
    await assign(message, ME, 2)
    await ai.publish(message, org=org)
    draft = await ai.spy.expect(DraftGenerated, lambda event: event.data.message_id == message.message_id)
    await _becomes(own, draft.data.draft_id, 200)


async def test_the_database_refuses_what_a_route_forgot(
    ai: Harness, org: UUID, drafted: Drafted, assign: Assign
) -> None:
    message, draft_id = await drafted()
    await assign(message, OTHER, 2)
    await _becomes(_client(ai, org, "team"), draft_id, 404)
    async with ai.app.db.transaction(org) as tx:
        await tx.execute(f"SET LOCAL flotilla.sees_drafts = '{ME}'")
        assert await tx.fetchval("SELECT count(*) FROM drafts WHERE id = $1", draft_id) == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="out of reach"):
        await _forgetful(ai, org, draft_id)


async def _forgetful(ai: Harness, org: UUID, draft_id: UUID) -> None:
    async with ai.app.db.transaction(org) as tx:
        await tx.execute(f"SET LOCAL flotilla.writes_drafts = '{ME}'")
        await tx.execute("UPDATE drafts SET reason = 'x' WHERE id = $1", draft_id)
