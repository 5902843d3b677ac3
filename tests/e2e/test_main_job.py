"""A customer's message goes all the way to a person, live, and the answer all the way back."""

from tests.e2e.conftest import NewOffice

QUESTION = "Hello, how long does delivery to Germany take?"


async def test_a_message_is_seen_drafted_approved_and_answered(new_office: NewOffice) -> None:
    office = await new_office("Harbour")
    owner = office.owner
    async with owner.live() as live:
        await office.customer_writes(QUESTION, chat=4711)
        received = await live.expect("message.received.v1", lambda data: data["text"] == QUESTION)
        conversation = received["data"]["conversation_id"]
        created = await live.expect("contact.created.v1")
        analysed = await live.expect("message.analyzed.v1")
        drafted = await live.expect("ai.draft.generated.v1")
        assert analysed["data"]["language"] == "en"
        assert created["data"]["name"] == "Iryna"
        draft = drafted["data"]
        assert draft["conversation_id"] == conversation
        assert "three to five working days" in draft["text"]
        assert [citation["title"] for citation in draft["citations"]] == ["Delivery"]

        await owner.ok("POST", f"/v1/drafts/{draft['draft_id']}/approve", {})
        await live.expect("ai.draft.approved.v1")
        sent = await live.expect("message.sent.v1", lambda data: data["draft_id"] == draft["draft_id"])
    [taken] = [each for each in office.telegram.sent if each.token == office.token]
    assert (taken.chat, taken.text) == (4711, draft["text"])
    assert sent["data"]["author"] == f"user:{owner.user['id']}"

    thread = await owner.ok("GET", f"/v1/conversations/{conversation}/messages")
    assert sorted(message["position"] for message in thread["items"]) == [1, 2]
    assert {message["text"] for message in thread["items"]} == {QUESTION, draft["text"]}
