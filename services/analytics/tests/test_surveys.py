"""Surveys: a resolved conversation asks its customer once, the link takes one answer, the numbers are those given."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events import messaging
from flotilla.events.analytics import SurveyAnswered, SurveySent
from flotilla.events.messaging import MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService

from services.analytics.tests.conftest import Events

NOW = datetime.now(UTC)
CSAT = {"name": "After help", "kind": "csat", "trigger": "conversation_resolved"}
STRETCH = f"from={NOW.date()}&to={NOW.date() + timedelta(days=2)}"


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


async def survey(client: Client, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/surveys", CSAT | changes)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def resolve(analytics: Harness, org: UUID, events: Events, sequence: int = 2, **fields: Any) -> None:
    told = {"state": "resolved", "resolved_at": NOW, **fields}
    await analytics.publish(
        events.conversation(messaging.ConversationResolved, **told), org=org, sequence=sequence
    )


async def asked(analytics: Harness, org: UUID) -> Received[MessageRequested]:
    return await analytics.spy.expect(MessageRequested, lambda event: event.org == org)


async def deliver(analytics: Harness, org: UUID, events: Events, wish: MessageRequested) -> None:
    """messaging's answer to the wish."""
    sent = events.sent(message_id=wish.request_id, conversation_id=wish.conversation_id, occurred_at=NOW)
    await analytics.publish(sent, org=org, sequence=2)


def link(wish: MessageRequested) -> str:
    found = re.search(r"/v1/surveys/answer/[\w-]+", wish.text or "")
    assert found is not None
    return found[0]


async def test_a_resolved_conversation_asks_and_is_answered(
    analytics: Harness, org: UUID, events: Events
) -> None:
    client, agent, contact = analytics.client(org), new_id(), new_id()
    template = await survey(client)
    conversation_id = new_id()
    what: dict[str, Any] = {"conversation_id": conversation_id, "assignee_id": agent, "contact_id": contact}
    await resolve(analytics, org, events, **what)
    wish = await asked(analytics, org)
    assert (wish.data.conversation_id, wish.data.purpose) == (conversation_id, "service")
    assert wish.envelope.requestid == wish.data.request_id
    await deliver(analytics, org, events, wish.data)
    sent = await analytics.spy.expect(SurveySent, lambda event: event.org == org)
    assert (sent.data.kind, sent.data.agent_id, sent.data.send_id) == ("csat", agent, wish.data.request_id)
    nobody, path = analytics.anonymous(), link(wish.data)
    question = (await nobody.get(path)).json()
    assert (question["lowest"], question["highest"], question["score"]) == (1, 5, None)
    assert (await nobody.post(path, {"score": 3, "comment": "Slow"})).status == 200
    first = await analytics.spy.expect(SurveyAnswered, lambda event: event.org == org)
    assert (first.data.score, first.data.comment, first.data.changed) == (3, "Slow", {})
    assert first.envelope.sequence > sent.envelope.sequence
    changed = await nobody.post(path, {"score": 5, "comment": "Slow"})
    assert changed.json()["score"] == 5
    await nobody.post(path, {"score": 5, "comment": "Slow"})
    await analytics.spy.expect(SurveyAnswered, lambda e: e.org == org and e.data.changed == {"score": [3, 5]})
    assert len(analytics.spy.of(SurveyAnswered, org)) == 2
    results = f"/v1/surveys/{template['id']}/results?{STRETCH}"
    (result,) = (await client.get(results)).json()
    assert (result["sent"], result["answered"], result["response_rate"]) == (1, 1, "1.0000")
    assert (result["value"], result["scores"]) == ("100.0000", {"5": 1})
    (send,) = (await client.get(f"/v1/surveys/{template['id']}/sends")).json()["items"]
    assert (send["state"], send["score"], send["comment"]) == ("answered", 5, "Slow")


async def test_a_person_is_asked_once_in_a_while(analytics: Harness, org: UUID, events: Events) -> None:
    client, identity = analytics.client(org), new_id()
    template = await survey(client)
    first, second = new_id(), new_id()
    await resolve(analytics, org, events, conversation_id=first, identity_id=identity)
    wish = await asked(analytics, org)
    await deliver(analytics, org, events, wish.data)
    await resolve(analytics, org, events, sequence=4, conversation_id=first, identity_id=identity)
    await resolve(analytics, org, events, conversation_id=second, identity_id=identity)
    stranger = new_id()
    await resolve(analytics, org, events, conversation_id=stranger)
    # The stranger's conversation was resolved last: once they are asked, the others have been looked at.
    await analytics.spy.expect(MessageRequested, lambda event: event.data.conversation_id == stranger)
    conversations = [event.data.conversation_id for event in analytics.spy.of(MessageRequested, org)]
    assert conversations == [first, stranger]
    other = analytics.client(new_id())
    for path in ("", "/sends", f"/results?{STRETCH}"):
        assert (await other.get(f"/v1/surveys/{template['id']}{path}")).status == 404


async def test_a_conversation_that_goes_on_is_not_asked_about(
    analytics: Harness, org: UUID, events: Events
) -> None:
    client, conversation_id = analytics.client(org), new_id()
    template = await survey(client, delay_minutes=60)
    await resolve(analytics, org, events, conversation_id=conversation_id)
    sends = f"/v1/surveys/{template['id']}/sends"

    async def state() -> str | None:
        items = (await client.get(sends)).json()["items"]
        return items[0]["state"] if items else None

    await eventually(state, what="a send that waits")
    reopened = events.conversation(messaging.ConversationReopened, conversation_id=conversation_id)
    await analytics.publish(reopened, org=org, sequence=3)

    async def known() -> bool:
        async with analytics.app.db.transaction(org) as tx:
            found = await tx.fetchval(
                "SELECT state FROM conversation_agents WHERE organization_id = $1 AND id = $2",
                org,
                conversation_id,
            )
        return bool(found == "open")

    await eventually(known, what="the conversation goes on")
    send_id = (await client.get(sends)).json()["items"][0]["id"]
    await analytics.app.db.execute("UPDATE jobs SET due_at = now() WHERE key = $1", send_id)

    async def cancelled() -> bool:
        return await state() == "cancelled"

    await eventually(cancelled, what="nobody is asked")
    assert analytics.spy.of(MessageRequested, org) == []


async def test_many_answer_at_once_and_each_counts_once(
    analytics: Harness, org: UUID, events: Events
) -> None:
    client = analytics.client(org, "team_member")
    template = await survey(analytics.client(org), name="NPS", kind="nps", trigger="manual")
    scores = [10, 9, 9, 8, 7, 6, 0, 10]
    conversations = [new_id() for _ in scores]
    for conversation_id in conversations:
        opened = events.conversation(messaging.ConversationOpened, conversation_id=conversation_id)
        await analytics.publish(opened, org=org, sequence=1)
    path = f"/v1/surveys/{template['id']}/sends"

    async def sent(conversation_id: UUID) -> bool:
        answer = await client.post(path, {"conversation_id": str(conversation_id)})
        return answer.status == 202

    for conversation_id in conversations:

        async def begun(conversation_id: UUID = conversation_id) -> bool:
            return await sent(conversation_id)

        await eventually(begun, what="the survey is sent")
    again = await client.post(path, {"conversation_id": str(conversations[0])})
    assert again.status == 409
    links = {}
    for conversation_id in conversations:
        is_theirs = partial(_is_about, conversation_id)
        wish = await analytics.spy.expect(MessageRequested, is_theirs)
        links[conversation_id] = link(wish.data)
    nobody = analytics.anonymous()
    pairs = list(zip(links.values(), scores, strict=True))
    await asyncio.gather(*[nobody.post(where, {"score": score}) for where, score in pairs for _ in range(3)])
    (result,) = (await client.get(f"/v1/surveys/{template['id']}/results?{STRETCH}")).json()
    assert (result["sent"], result["answered"], float(result["value"])) == (8, 8, 25.0)
    assert len(analytics.spy.of(SurveyAnswered, org)) == 8
    await numbers_are_those_of_the_sends(analytics, org)


def _is_about(conversation_id: UUID, event: Received[MessageRequested]) -> bool:
    return event.data.conversation_id == conversation_id


async def numbers_are_those_of_the_sends(analytics: Harness, org: UUID) -> None:
    """The sums are what counting all sends gives."""
    async with analytics.app.db.transaction(org) as tx:
        summed = await tx.fetch("SELECT score, count FROM survey_days WHERE organization_id = $1", org)
        sends = await tx.fetch("SELECT score FROM survey_sends WHERE organization_id = $1", org)
    told = {row["score"]: row["count"] for row in summed if row["count"]}
    given = [row["score"] for row in sends]
    assert told == {-1: len(given), **{score: given.count(score) for score in given}}


async def test_the_page_is_a_page(analytics: Harness, org: UUID, events: Events) -> None:
    client = analytics.client(org)
    await survey(client, question="Wie war's <b>?")
    await resolve(analytics, org, events)
    wish = await asked(analytics, org)
    nobody, path = analytics.anonymous(), link(wish.data) + "/form"
    assert path in (wish.data.text or "")
    german = {"Accept-Language": "de-AT,en;q=0.5"}
    shown = await nobody.get(path, headers=german)
    assert (shown.status, shown.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = shown.body.decode()
    assert "Senden" in page
    assert "Wie war&#x27;s &lt;b&gt;?" in page
    assert page.count('type="radio"') == 5
    form = {"Content-Type": "application/x-www-form-urlencoded", **german}
    for wrong in (b"score=9", b"", b"score=x", b"score=%00", b"comment=only", b"score=3&comment=%00"):
        answer = await nobody.post(path, body=wrong, headers=form)
        assert answer.status == 422, wrong
        assert b"<form" in answer.body
    assert (await nobody.post(path, body=b"score=4&comment=" + b"x" * 20_000, headers=form)).status == 413
    thanked = await nobody.post(path, body=b"score=4&comment=Gut+gemacht", headers=form)
    assert "Danke" in thanked.body.decode()
    event = await analytics.spy.expect(SurveyAnswered, lambda event: event.org == org)
    assert (event.data.score, event.data.comment) == (4, "Gut gemacht")
    assert event.envelope.actor is None


async def test_a_link_ends(analytics: Harness, org: UUID, events: Events) -> None:
    client = analytics.client(org)
    await survey(client)
    await resolve(analytics, org, events)
    wish = await asked(analytics, org)
    nobody, path = analytics.anonymous(), link(wish.data)
    for wrong in ("x", path.rsplit("/", 1)[1][:-3] + "AAA", "A" * 76):
        assert (await nobody.get(f"/v1/surveys/answer/{wrong}")).status == 404
        assert (await nobody.post(f"/v1/surveys/answer/{wrong}", {"score": 1})).status == 404
    for body in ({"score": 0}, {"score": 6}, {}, {"comment": "words"}, {"score": "x"}, {"stars": 5}):
        assert (await nobody.post(path, body)).status == 422, body
    assert (await nobody.post(path, {"score": 4})).status == 200
    late = "UPDATE survey_sends SET answered_at = now() - interval '2 days' WHERE organization_id = $1"
    over = "UPDATE survey_sends SET answered_at = NULL, expires_at = now() WHERE organization_id = $1"
    for change, status in ((late, 409), (over, 410)):
        async with analytics.app.db.transaction(org) as tx:
            await tx.execute(change, org)
        assert (await nobody.post(path, {"score": 5})).status == status
        assert (await nobody.get(f"{path}/form")).status == status


async def test_what_messaging_refuses_was_not_sent(analytics: Harness, org: UUID, events: Events) -> None:
    client = analytics.client(org)
    template = await survey(client)
    await resolve(analytics, org, events)
    wish = (await asked(analytics, org)).data
    refused = messaging.MessageRefused(
        request_id=wish.request_id, conversation_id=wish.conversation_id, reason="unsubscribed"
    )
    await analytics.publish(refused, org=org)

    async def failed() -> dict[str, Any] | None:
        (send,) = (await client.get(f"/v1/surveys/{template['id']}/sends")).json()["items"]
        return send if send["state"] == "failed" else None

    send = await eventually(failed, what="it has failed")
    assert send is not None
    assert send["reason"] == "unsubscribed"
    assert (await analytics.anonymous().get(link(wish))).status == 404
    assert analytics.spy.of(SurveySent, org) == []


async def test_surveys_are_changed_by_their_version(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    template = await survey(client)
    path = f"/v1/surveys/{template['id']}"
    assert (await client.put(path, CSAT, headers={"If-Match": '"9"'})).status == 412
    assert (await client.put(path, CSAT | {"kind": "nps"})).status == 422
    off = await client.put(path, CSAT | {"active": False})
    assert (off.status, off.json()["active"], off.headers["ETag"]) == (200, False, '"2"')
    send = await client.post(f"{path}/sends", {"conversation_id": str(new_id())})
    assert send.status == 409
    await client.put(path, CSAT)
    unknown = await client.post(f"{path}/sends", {"conversation_id": str(new_id())})
    assert unknown.status == 422
    for wrong in ({"kind": "stars"}, {"message": "no link"}, {"expires_days": 0}, {"name": ""}):
        assert (await client.post("/v1/surveys", CSAT | wrong)).status == 422, wrong
    assert (await analytics.client(org, "team_member").post("/v1/surveys", CSAT)).status == 403
    assert len((await client.get("/v1/surveys")).json()["items"]) == 1
