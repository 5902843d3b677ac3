"""Campaigns on real servers: bulk sends, lists and segments, schedule, pause, throttle, the end, results."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.campaign import (
    CampaignCreated,
    CampaignFinished,
    CampaignPaused,
    CampaignStarted,
    SequenceStarted,
)
from flotilla.events.crm import SegmentEntered, SegmentLeft
from flotilla.events.messaging import MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.campaign.tests.conftest import (
    AGAIN,
    HELLO,
    KNOWN,
    WAIT,
    come_due,
    published,
    received,
    sent,
)

SALE: dict[str, Any] = {"text": "Hello {{ name | there }}, our sale begins!"}


async def drafted(campaign: Harness, org: UUID, **fields: Any) -> str:
    """A draft: its id."""
    body = {"name": "Summer", "goal": "20 meetings", "people_per_minute": 1000} | fields
    if "sequence_id" not in body:
        body.setdefault("message", SALE)
    assert (await campaign.client(org).put("/v1/consent-rule", KNOWN)).status == 200
    made = await campaign.client(org).post("/v1/campaigns", body)
    assert made.status == 201, made.json()
    return str(made.json()["id"])


async def listed(campaign: Harness, org: UUID, id_: str, count: int, **fields: Any) -> list[str]:
    """Puts people on its list: their ids."""
    people = [{"contact_id": str(new_id()), **fields} for _ in range(count)]
    answer = await campaign.client(org).post(f"/v1/campaigns/{id_}/people", {"people": people})
    assert answer.status == 204, answer.json()
    return [each["contact_id"] for each in people]


async def act(campaign: Harness, org: UUID, id_: str, action: str) -> dict[str, Any]:
    answer = await campaign.client(org).post(f"/v1/campaigns/{id_}/{action}")
    assert answer.status == 200, answer.json()
    shown: dict[str, Any] = answer.json()
    return shown


async def asked(campaign: Harness, org: UUID, count: int) -> list[Any]:
    """So many messages were asked for."""

    async def there() -> list[Any]:
        found = campaign.spy.of(MessageRequested, org)
        return found if len(found) >= count else []

    found = await eventually(there)
    assert len(found) == count
    return found


async def test_a_bulk_send_goes_to_each_once_and_ends_with_results(campaign: Harness, org: UUID) -> None:
    client = campaign.client(org)
    id_ = await drafted(campaign, org)
    created = await campaign.spy.expect(CampaignCreated, lambda event: event.org == org)
    assert (str(created.data.campaign_id), created.data.bulk, created.data.state) == (id_, True, "draft")
    people = await listed(campaign, org, id_, 3, fields={"name": "Zoë"})
    gone = people[2]
    await client.post("/v1/suppressions", {"contact_id": gone})
    shown = await act(campaign, org, id_, "start")
    assert shown["state"] == "running"
    wishes = await asked(campaign, org, 2)
    assert {str(wish.data.contact_id) for wish in wishes} == set(people[:2])
    assert {wish.data.text for wish in wishes} == {"Hello Zoë, our sale begins!"}
    assert not campaign.spy.of(CampaignFinished, org)
    for wish in wishes:
        await campaign.publish(sent(wish), org=org)
    finished = await campaign.spy.expect(CampaignFinished, lambda event: event.org == org)
    assert (finished.data.people, finished.data.changed) == (3, {"state": ["running", "finished"]})
    started = campaign.spy.of(CampaignStarted, org)
    assert [event.sequence for event in (created, *started, finished)] == sorted(
        {event.sequence for event in (created, *started, finished)}
    )
    stand = (await client.get(f"/v1/campaigns/{id_}/results")).json()
    assert stand["people"] == [
        {"state": "enrolled", "reason": None, "people": 2},
        {"state": "refused", "reason": "unsubscribed", "people": 1},
    ]
    (message,) = stand["messages"]
    assert (message["step"], message["asked"], message["sent"], message["replied"]) == (0, 2, 2, 0)
    assert (await client.get("/v1/sequences")).json()["items"] == []
    everybody = (await client.get(f"/v1/campaigns/{id_}/people?limit=2")).json()
    assert [each["contact_id"] for each in everybody["items"]] == sorted(people)[:2]
    assert (await client.post(f"/v1/campaigns/{id_}/start")).status == 409


async def test_its_audience_is_who_is_in_the_segment_when_it_starts(campaign: Harness, org: UUID) -> None:
    segment_id = new_id()
    inside, outside, late = new_id(), new_id(), new_id()

    async def membership(type_: Any, contact_id: UUID, membership_id: UUID, sequence: int) -> None:
        fact = type_(
            membership_id=membership_id,
            segment_id=segment_id,
            segment_name="Trial users",
            contact_id=contact_id,
            changed_at=datetime.now(UTC),
        )
        await campaign.publish(fact, org=org, sequence=sequence)

    left = new_id()
    await membership(SegmentEntered, inside, new_id(), 1)
    await membership(SegmentEntered, outside, left, 1)
    await membership(SegmentLeft, outside, left, 2)

    async def known() -> bool:
        async with campaign.app.db.transaction(org) as tx:
            sql = "SELECT count(*) = 2 AND bool_or(NOT inside) FROM segment_members"
            return bool(await tx.fetchval(sql))

    await eventually(known)
    sequence_id = await published(campaign, org, steps=[WAIT, HELLO])
    id_ = await drafted(campaign, org, segment_id=str(segment_id), sequence_id=sequence_id)
    refused = await campaign.client(org).post(
        f"/v1/campaigns/{id_}/people", {"people": [{"contact_id": str(late)}]}
    )
    assert refused.status == 409
    await act(campaign, org, id_, "start")
    started = await campaign.spy.expect(SequenceStarted, lambda event: event.org == org)
    assert (started.data.contact_id, str(started.data.campaign_id)) == (inside, id_)
    await membership(SegmentEntered, late, new_id(), 1)
    told = await campaign.spy.expect(CampaignStarted, lambda event: event.org == org)
    assert told.data.people == 1
    assert len(campaign.spy.of(SequenceStarted, org)) == 1


async def test_it_waits_for_its_time_across_a_pause(campaign: Harness, org: UUID) -> None:
    starts_at = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    id_ = await drafted(campaign, org, starts_at=starts_at)
    await listed(campaign, org, id_, 1)
    assert (await act(campaign, org, id_, "start"))["state"] == "scheduled"
    assert (await act(campaign, org, id_, "pause"))["state"] == "paused"
    await come_due(campaign, org)
    assert (await act(campaign, org, id_, "resume"))["state"] == "scheduled"
    # It is heard already, so that no reply is missed once it starts.
    assert (
        await campaign.app.db.fetchval("SELECT count(*) FROM listening WHERE organization_id = $1", org) == 1
    )
    await come_due(campaign, org)
    await asked(campaign, org, 1)
    started = await campaign.spy.expect(CampaignStarted, lambda event: event.org == org)
    assert started.data.changed == {"state": ["scheduled", "running"]}


async def test_paused_it_enrols_nobody_and_begins_no_step(campaign: Harness, org: UUID) -> None:
    sequence_id = await published(campaign, org, steps=[HELLO, WAIT, AGAIN])
    id_ = await drafted(campaign, org, sequence_id=sequence_id, people_per_minute=1)
    people = await listed(campaign, org, id_, 2)
    await act(campaign, org, id_, "start")
    (first,) = await asked(campaign, org, 1)
    assert str(first.data.contact_id) == min(people)
    await campaign.publish(sent(first), org=org)

    async def waits() -> bool:
        found = (await campaign.client(org).get(f"/v1/sequences/{sequence_id}/enrolments")).json()["items"]
        return [each["phase"] for each in found] == ["wait"]

    await eventually(waits)
    assert (await act(campaign, org, id_, "pause"))["state"] == "paused"
    await campaign.spy.expect(CampaignPaused, lambda event: event.org == org)
    await come_due(campaign, org)

    async def nothing_is_due() -> bool:
        sql = "SELECT count(*) FROM jobs WHERE organization_id = $1"
        return bool(await campaign.app.db.fetchval(sql, org) == 0)

    await eventually(nothing_is_due)
    assert len(campaign.spy.of(MessageRequested, org)) == 1
    assert (await act(campaign, org, id_, "resume"))["state"] == "running"
    wishes = await asked(campaign, org, 3)
    assert sorted(wish.data.text for wish in wishes[1:]) == ["Hello there!", "Still there?"]
    assert [event.data.changed["state"] for event in campaign.spy.of(CampaignStarted, org)] == [
        ["scheduled", "running"],
        ["paused", "running"],
    ]


async def test_people_are_enrolled_at_its_pace(campaign: Harness, org: UUID) -> None:
    id_ = await drafted(campaign, org, people_per_minute=2)
    await listed(campaign, org, id_, 5)
    await act(campaign, org, id_, "start")
    for count in (2, 4, 5):
        await asked(campaign, org, count)
        await come_due(campaign, org)


async def test_a_reply_counts_for_the_message_before_it(campaign: Harness, org: UUID) -> None:
    sequence_id = await published(campaign, org, steps=[HELLO, WAIT, AGAIN], stop_on_reply=False)
    id_ = await drafted(campaign, org, sequence_id=sequence_id)
    await listed(campaign, org, id_, 1)
    await act(campaign, org, id_, "start")
    (wish,) = await asked(campaign, org, 1)
    await campaign.publish(sent(wish), org=org)
    await campaign.publish(received(new_id(), contact_id=wish.data.contact_id), org=org)

    async def counted() -> bool:
        found = (await campaign.client(org).get(f"/v1/campaigns/{id_}/results")).json()["messages"]
        again = (await campaign.client(org).get(f"/v1/sequences/{sequence_id}/results")).json()
        assert found == again
        return [each["replied"] for each in found] == [1]

    await eventually(counted)


async def test_drafts_are_changed_and_what_cannot_be_is_refused(campaign: Harness, org: UUID) -> None:
    client = campaign.client(org)
    sequence_id = await published(campaign, org, steps=[WAIT])
    for body, status in (
        ({"name": "Neither"}, 422),
        ({"name": "Both", "message": SALE, "sequence_id": sequence_id}, 422),
        ({"name": "Odd", "message": {"text": "{{ broken"}}, 422),
        ({"name": "Lost", "sequence_id": str(new_id())}, 422),
        ({"name": "Fast", "message": SALE, "people_per_minute": 0}, 422),
    ):
        assert (await client.post("/v1/campaigns", body)).status == status, body
    id_ = await drafted(campaign, org)
    assert (await client.post(f"/v1/campaigns/{id_}/start")).status == 409  # nobody is on its list
    shown = await client.get(f"/v1/campaigns/{id_}")
    etag = shown.headers["ETag"]
    path = f"/v1/campaigns/{id_}"
    assert (await client.patch(path, {"sequence_id": sequence_id})).status == 422
    changed = await client.patch(
        path, {"goal": None, "message": {"text": "Autumn!"}}, headers={"If-Match": etag}
    )
    assert (changed.status, changed.json()["goal"]) == (200, None)
    assert (await client.patch(path, {"name": "Late"}, headers={"If-Match": etag})).status == 412
    await listed(campaign, org, id_, 1)
    await act(campaign, org, id_, "start")
    (wish,) = await asked(campaign, org, 1)
    assert wish.data.text == "Autumn!"
    assert (await client.patch(path, {"name": "Late"})).status == 409
    assert (await client.delete(path)).status == 409
    unpublished = (await client.post("/v1/sequences", {"name": "Later", "steps": [HELLO]})).json()["id"]
    other = await drafted(campaign, org, sequence_id=unpublished)
    await listed(campaign, org, other, 1)
    assert (await client.post(f"/v1/campaigns/{other}/start")).status == 409
    assert (await client.delete(f"/v1/campaigns/{other}")).status == 204
    found = (await client.get("/v1/campaigns")).json()["items"]
    assert [each["id"] for each in found] == [id_]


async def test_other_organizations_and_roles_are_kept_out(campaign: Harness, org: UUID) -> None:
    id_ = await drafted(campaign, org)
    await listed(campaign, org, id_, 1)
    stranger = campaign.client(new_id())
    for path in ("", "/people", "/results"):
        assert (await stranger.get(f"/v1/campaigns/{id_}{path}")).status == 404
    for path in ("/start", "/pause", "/resume"):
        assert (await stranger.post(f"/v1/campaigns/{id_}{path}")).status == 404
    assert (await stranger.get("/v1/campaigns")).json()["items"] == []
    member = campaign.client(org, role="team_member")
    assert (await member.get(f"/v1/campaigns/{id_}/results")).status == 200
    assert (await member.post(f"/v1/campaigns/{id_}/start")).status == 403
