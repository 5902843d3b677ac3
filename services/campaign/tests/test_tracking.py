"""Opens, clicks, bounces and links that unsubscribe, on real servers; what signed links refuse."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.events.campaign import (
    ContactUnsubscribed,
    MailBounced,
    MailClicked,
    MailOpened,
    SequenceStepDue,
    SequenceStopped,
)
from flotilla.events.integrations import ChannelMessageFailed
from flotilla.events.messaging import MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import Answer
from flotilla_campaign.domain.robots import looks_automated
from flotilla_campaign.domain.tracking import Kind, Links, Token, with_links

from services.campaign.tests.conftest import (
    AGAIN,
    WAIT,
    Stands,
    Wish,
    come_due,
    enrolled,
    published,
    received,
    sent,
)

PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
TRACKED: dict[str, Any] = {
    "type": "send",
    "track": True,
    "text": "See https://example.org/a?b=1&c=2, or (https://example.org/z). No more: {{ unsubscribe_link }}",
}


def path(url: str) -> str:
    """As the gateway would forward it."""
    return url[url.index("/v1/") :]


def _tracking(wish: MessageRequested) -> dict[str, str]:
    """The addresses that a mail is sent with."""
    assert wish.tracking is not None
    addresses: dict[str, str] = msgspec.to_builtins(wish.tracking)
    return addresses


async def get(campaign: Harness, url: str, **headers: str) -> Answer:
    return await campaign.anonymous().get(path(url), headers={**PERSON, **headers})


async def _sent_long_ago(campaign: Harness, org: UUID) -> None:
    """So that whoever opens it now has had the time to read."""
    async with campaign.app.db.transaction(org) as tx:
        await tx.execute("UPDATE sends SET asked_at = now() - interval '1 hour', sent_at = NULL")


async def test_opens_and_clicks_are_told_once_and_lead_where_they_should(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    made = await enrolled(campaign, org, await published(campaign, org, steps=[TRACKED, WAIT]))
    asked = await wish()
    due = await campaign.spy.expect(SequenceStepDue, lambda event: event.org == org)
    assert (due.data.step, due.data.message_id) == (0, asked.data.request_id)
    text, tracking = asked.data.text or "", _tracking(asked.data)
    first, second, unsubscribe = re.findall(r"https?://[^\s,()]+", text)
    assert "example.org" not in text
    assert unsubscribe == tracking["unsubscribe_url"]
    await _sent_long_ago(campaign, org)

    picture = await get(campaign, tracking["open_url"])
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/gif")
    assert picture.body.startswith(b"GIF89a")
    assert "no-store" in picture.headers["Cache-Control"]
    opened = await campaign.spy.expect(MailOpened, lambda event: event.org == org)
    assert (str(opened.data.enrolment_id), opened.data.automated) == (made["id"], False)
    assert opened.envelope.actor == f"contact:{made['contact_id']}"
    for url, target in ((first, "https://example.org/a?b=1&c=2"), (second, "https://example.org/z")) * 2:
        answer = await get(campaign, url)
        assert (answer.status, answer.headers["Location"]) == (302, target)
    await get(campaign, tracking["open_url"])

    async def told() -> bool:
        return len(campaign.spy.of(MailClicked, org)) == 2

    await eventually(told)
    assert {event.data.url for event in campaign.spy.of(MailClicked, org)} == {
        "https://example.org/a?b=1&c=2",
        "https://example.org/z",
    }
    assert len(campaign.spy.of(MailOpened, org)) == 1
    shown = await stands(made["id"], state="active")
    assert shown["opened_at"]
    assert shown["clicked_at"]


async def test_global_privacy_control_is_honoured(campaign: Harness, org: UUID, wish: Wish) -> None:
    await enrolled(campaign, org, await published(campaign, org, steps=[TRACKED, WAIT]))
    asked = await wish()
    first, *_ = re.findall(r"https?://[^\s,()]+", asked.data.text or "")
    await _sent_long_ago(campaign, org)
    assert (await get(campaign, _tracking(asked.data)["open_url"], **{"Sec-GPC": "1"})).status == 200
    followed = await get(campaign, first, **{"Sec-GPC": "1"})
    assert (followed.status, followed.headers["Location"]) == (302, "https://example.org/a?b=1&c=2")
    async with campaign.app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT count(*) FROM touches") == 0
        assert await tx.fetchval("SELECT count(*) FROM sends WHERE opened_at IS NOT NULL") == 0


async def test_a_click_is_an_open_where_pictures_are_blocked_and_a_scanner_is_neither(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    branch = {"type": "branch", "on": "clicked", "then": 4, "otherwise": 3}
    steps = [TRACKED, WAIT, branch, AGAIN]
    made = await enrolled(campaign, org, await published(campaign, org, steps=steps))
    asked = await wish()
    link = re.findall(r"https?://[^\s,()]+", asked.data.text or "")[0]
    at_once = await get(campaign, link)  # nobody reads so soon
    assert at_once.headers["Location"].startswith("https://example.org/")
    await _sent_long_ago(campaign, org)
    await get(campaign, link, **{"User-Agent": "Barracuda Sentinel"})
    first = await campaign.spy.expect(MailClicked, lambda event: event.org == org)
    assert first.data.automated
    assert (await stands(made["id"]))["clicked_at"] is None
    assert not campaign.spy.of(MailOpened, org)

    await get(campaign, link)
    clicked = await campaign.spy.expect(
        MailClicked, lambda event: event.org == org and not event.data.automated
    )
    opened = await campaign.spy.expect(MailOpened, lambda event: event.org == org)
    assert opened.sequence < clicked.sequence
    await campaign.publish(sent(asked), org=org)
    await stands(made["id"], phase="wait")
    await come_due(campaign, org)
    done = await stands(made["id"], state="finished")
    assert done["steps"][-1]["reason"] == "clicked: yes, on to 4"
    assert len(campaign.spy.of(MessageRequested, org)) == 1


async def test_one_click_unsubscribes_and_looking_does_not(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    made = await enrolled(campaign, org, await published(campaign, org))
    asked = await wish()
    url = _tracking(asked.data)["unsubscribe_url"]
    page = await get(campaign, url, **{"Accept-Language": "fr-CA,fr;q=0.9,en;q=0.8"})
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert '<form method="post">' in page.body.decode()
    assert 'lang="fr"' in page.body.decode()
    await stands(made["id"], state="active")
    for _ in range(2):
        answer = await campaign.anonymous().post(
            path(url),
            body=b"List-Unsubscribe=One-Click",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == 200
    told = await campaign.spy.expect(ContactUnsubscribed, lambda event: event.org == org)
    assert (str(told.data.contact_id), told.data.reason) == (made["contact_id"], "link")
    await stands(made["id"], state="stopped", reason="unsubscribed")
    assert len(campaign.spy.of(ContactUnsubscribed, org)) == 1


async def test_no_link_can_be_made_up_or_led_elsewhere(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    await enrolled(campaign, org, await published(campaign, org, steps=[TRACKED]))
    asked = await wish()
    click = path(re.findall(r"https?://[^\s,()]+", asked.data.text or "")[0])
    token = click.rsplit("/", 1)[1]
    changed = ("A" if token[0] != "A" else "B") + token[1:]
    links = campaign.app.own.links
    nowhere = Token(Kind.CLICK, org, asked.data.request_id, 9)
    another = Token(Kind.CLICK, new_id(), asked.data.request_id, 0)
    for wrong in (
        f"/v1/track/c/{changed}",
        f"/v1/track/u/{token}",
        f"/v1/track/o/{token}.gif",
        "/v1/track/c/x",
        "/v1/track/c/%F0%9F%A6%8A",
        f"{click}?url=https://evil.example",
        path(links.address(nowhere)),
        path(links.address(another)),
    ):
        answer = await get(campaign, wrong)
        if "?" in wrong:
            assert answer.headers["Location"] == "https://example.org/a?b=1&c=2"
        else:
            assert (answer.status, "Location" in answer.headers) == (404, False), wrong
    assert (await campaign.anonymous().post(f"/v1/track/u/{token}")).status == 404


async def test_a_bounce_stops_all_and_suppresses_without_saying_that_they_want_no_more(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    id_ = await published(campaign, org)
    made = await enrolled(campaign, org, id_)
    asked = await wish()
    other = await enrolled(
        campaign,
        org,
        await published(campaign, org, name="Other", steps=[WAIT]),
        contact_id=made["contact_id"],
    )

    def failed(**fields: Any) -> ChannelMessageFailed:
        given: dict[str, Any] = {
            "message_id": asked.data.request_id,
            "account_id": new_id(),
            "channel": "email",
            "reason": "No such mailbox.",
            "occurred_at": datetime.now(UTC),
        }
        return ChannelMessageFailed(**given | fields)

    await campaign.publish(failed(message_id=new_id(), permanent=True), org=org)  # nobody's of ours
    await campaign.publish(failed(), org=org)  # the mailbox is full today
    for _ in range(2):
        await campaign.publish(failed(permanent=True), org=org)
    told = await campaign.spy.expect(MailBounced, lambda event: event.org == org)
    assert (told.data.reason, str(told.data.contact_id)) == ("No such mailbox.", made["contact_id"])
    for each in (made, other):
        await stands(each["id"], state="stopped", reason="bounced")
    listed = (await campaign.client(org).get("/v1/suppressions")).json()["items"]
    assert [(each["contact_id"], each["reason"]) for each in listed] == [(made["contact_id"], "bounced")]
    body = {"contact_id": made["contact_id"]}
    assert (await campaign.client(org).post(f"/v1/sequences/{id_}/enrolments", body)).status == 409
    assert not campaign.spy.of(ContactUnsubscribed, org)
    # They may still say so.
    await campaign.client(org).post("/v1/suppressions", body)
    await campaign.spy.expect(ContactUnsubscribed, lambda event: event.org == org)
    assert len(campaign.spy.of(MailBounced, org)) == 1
    assert len(campaign.spy.of(SequenceStopped, org)) == 2


async def test_what_became_of_each_message_is_kept(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    made = await enrolled(campaign, org, await published(campaign, org))
    await campaign.publish(sent(await wish()), org=org)
    await stands(made["id"], phase="wait")
    await campaign.publish(received(UUID(made["conversation_id"])), org=org)
    await stands(made["id"], state="stopped")
    async with campaign.app.db.transaction(org) as tx:
        row = await tx.fetchrow("SELECT * FROM sends")
    assert row is not None
    assert (row["sent_at"] is not None, row["replied_at"] is not None, row["failed_at"]) == (True, True, None)


LINKS = Links("https://flotilla.example", (b"k" * 32,))


def test_a_token_holds_what_it_was_made_of_and_nothing_else() -> None:
    token = Token(Kind.OPEN, new_id(), new_id(), 7)
    url = LINKS.address(token)
    assert re.fullmatch(r"https://flotilla\.example/v1/track/o/[A-Za-z0-9_-]{67}\.gif", url)
    written = url.rsplit("/", 1)[1].removesuffix(".gif")
    assert LINKS.read(written, Kind.OPEN) == token
    assert LINKS.read(written, Kind.CLICK) is None
    assert Links("https://flotilla.example", (b"j" * 32,)).read(written, Kind.OPEN) is None


@pytest.mark.parametrize(
    ("text", "led"),
    [
        ("See https://a.example/x.", "See <0>."),
        ("https://a.example https://b.example https://a.example", "<0> <1> <0>"),
        ("(HTTP://a.example/?q=1)!", "(<0>)!"),
        ("ftp://a.example and a.example", "ftp://a.example and a.example"),
        ("https://own.example/v1/track/u/1", "https://own.example/v1/track/u/1"),
    ],
)
def test_links_in_texts(text: str, led: str) -> None:
    found, _ = with_links(text, lambda place: f"<{place}>", "https://own.example/v1/track/")
    assert found == led


@pytest.mark.parametrize(
    ("headers", "automated"),
    [
        (dict(PERSON), False),
        ({"User-Agent": "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)"}, False),
        ({"User-Agent": "Mozilla/5.0"}, True),
        ({}, True),
        ({"User-Agent": "TelegramBot (like TwitterBot)"}, True),
        ({**PERSON, "Sec-Purpose": "prefetch;prerender"}, True),
    ],
)
def test_programs_are_told_from_people(headers: dict[str, str], automated: bool) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    assert looks_automated(lower, timedelta(minutes=5)) is automated
    assert looks_automated(lower, timedelta(seconds=1))
