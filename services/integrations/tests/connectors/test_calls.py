"""Calls: placed once whatever is lost, told once when they are over."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.events.connectors import VoiceCallEnded
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually

from services.integrations.tests.connectors.conftest import Connected, Hooked
from services.integrations.tests.connectors.vendors import Vendors

NUMBER = "+493012345678"


@pytest.fixture
async def telephone(connected: Connected) -> dict[str, Any]:
    settings = {"assistant_id": "ada", "phone_number_id": "berlin"}
    return await connected("vapi", settings, {"api_key": "key-of-vapi"})


def report(external_id: str, **changes: Any) -> dict[str, Any]:
    """An end-of-call-report, as VAPI documents it, shortened."""
    message = {
        "type": "end-of-call-report",
        "endedReason": "customer-ended-call",
        "startedAt": "2026-11-20T10:00:00.000Z",
        "endedAt": "2026-11-20T10:01:09.400Z",
        "durationSeconds": 69.4,
        "cost": 0.1214,
        "analysis": {"summary": "They want a demo."},
        "artifact": {
            "transcript": "AI: Hello?\nUser: A demo, please.",
            "recordingUrl": "https://storage.vapi.ai/a.wav",
        },
        "call": {"id": external_id, "type": "inboundPhoneCall", "customer": {"number": NUMBER}},
    }
    return {"message": message | changes}


async def becomes(owner: Client, call_id: str, state: str) -> dict[str, Any]:
    async def so() -> dict[str, Any]:
        call: dict[str, Any] = (await owner.get(f"/v1/calls/{call_id}")).json()
        assert call["state"] == state, call
        return call

    return await eventually(so)


async def test_a_call_that_comes_in_is_told_once(
    service: Harness, org: UUID, owner: Client, telephone: dict[str, Any], hooked: Hooked, vendors: Vendors
) -> None:
    assert telephone["state"] == "connected"
    assert vendors.assistant["server"]["url"] == telephone["hook_url"]
    secret = {"X-Vapi-Secret": vendors.assistant["server"]["secret"]}
    assert (await hooked(telephone, report("in-1"), {"X-Vapi-Secret": "guessed"})).status == 401
    assert (await hooked(telephone, {"message": {"type": "status-update"}}, secret)).status == 200
    for _ in range(3):
        assert (await hooked(telephone, report("in-1"), secret)).status == 200
    assert (await hooked(telephone, {"message": {"type": "end-of-call-report"}}, secret)).status == 422
    event = await service.spy.expect(VoiceCallEnded, lambda event: event.org == org)
    told = event.data
    assert (told.direction, told.outcome, told.number) == ("inbound", "completed", NUMBER)
    assert (told.duration_seconds, told.cost_usd) == (69, "0.1214")
    assert (told.summary, told.recording_url) == ("They want a demo.", "https://storage.vapi.ai/a.wav")
    assert len(service.spy.of(VoiceCallEnded, org)) == 1
    shown = (await owner.get(f"/v1/calls/{told.call_id}")).json()
    assert shown["transcript"].startswith("AI: Hello?")
    stranger = service.client(new_id())
    assert (await stranger.get(f"/v1/calls/{told.call_id}")).status == 404


async def test_a_call_is_placed_and_reported(
    service: Harness, org: UUID, owner: Client, telephone: dict[str, Any], hooked: Hooked, vendors: Vendors
) -> None:
    contact = str(new_id())
    wanted = {"account_id": telephone["id"], "number": NUMBER, "contact_id": contact, "name": "Iryna"}
    asked = await owner.post("/v1/calls", wanted, headers={"Idempotency-Key": "once"})
    again = await owner.post("/v1/calls", wanted, headers={"Idempotency-Key": "once"})
    assert (asked.status, again.json()["id"]) == (202, asked.json()["id"])
    placed = await becomes(owner, asked.json()["id"], "placed")
    (call,) = vendors.calls
    assert (call["assistantId"], call["phoneNumberId"]) == ("ada", "berlin")
    assert call["customer"] == {"number": NUMBER, "name": "Iryna"}
    secret = {"X-Vapi-Secret": vendors.assistant["server"]["secret"]}
    about = {"id": call["id"], "type": "outboundPhoneCall", "metadata": call["metadata"]}
    assert (await hooked(telephone, report(call["id"], call=about), secret)).status == 200
    event = await service.spy.expect(VoiceCallEnded, lambda event: event.org == org)
    assert (str(event.data.call_id), str(event.data.contact_id)) == (placed["id"], contact)
    assert (event.data.direction, event.data.outcome) == ("outbound", "completed")
    listed = (await owner.get(f"/v1/calls?contact_id={contact}")).json()["items"]
    assert [each["state"] for each in listed] == ["completed"]
    assert (await hooked(telephone, report("in-2"), secret)).status == 200
    await service.spy.expect(
        VoiceCallEnded,
        lambda event: event.org == org and event.data.number == NUMBER and event.data.direction == "inbound",
    )
    listed = (await owner.get("/v1/calls")).json()["items"]
    assert [each["direction"] for each in listed] == ["inbound", "outbound"], "the newest first"


async def test_a_lost_answer_calls_nobody_twice(
    owner: Client, telephone: dict[str, Any], vendors: Vendors
) -> None:
    vendors.lose_calls = 1
    asked = await owner.post("/v1/calls", {"account_id": telephone["id"], "number": NUMBER})
    call = await becomes(owner, asked.json()["id"], "placed")
    assert call["external_id"] == vendors.calls[0]["id"]
    assert len(vendors.calls) == 1


async def test_nobody_knows_whether_it_called_until_the_report_comes(
    service: Harness, org: UUID, owner: Client, telephone: dict[str, Any], hooked: Hooked, vendors: Vendors
) -> None:
    vendors.statuses = [502]
    asked = await owner.post("/v1/calls", {"account_id": telephone["id"], "number": NUMBER})
    call = await becomes(owner, asked.json()["id"], "unconfirmed")
    first = await service.spy.expect(VoiceCallEnded, lambda event: event.org == org)
    assert (first.data.outcome, vendors.calls) == ("unconfirmed", [])
    secret = {"X-Vapi-Secret": vendors.assistant["server"]["secret"]}
    about = {"id": "late", "type": "outboundPhoneCall", "metadata": {"flotilla_call_id": call["id"]}}
    assert (await hooked(telephone, report("late", call=about), secret)).status == 200
    second = await service.spy.expect(
        VoiceCallEnded, lambda event: event.org == org and event.data.outcome == "completed"
    )
    assert second.sequence > first.sequence


async def test_what_is_refused_has_failed(
    service: Harness, org: UUID, owner: Client, telephone: dict[str, Any], vendors: Vendors
) -> None:
    vendors.refuse_calls = True
    asked = await owner.post("/v1/calls", {"account_id": telephone["id"], "number": NUMBER})
    await becomes(owner, asked.json()["id"], "failed")
    event = await service.spy.expect(VoiceCallEnded, lambda event: event.org == org)
    assert (event.data.outcome, event.data.external_id) == ("failed", None)
    assert "400" in event.data.ended_reason
    nowhere = await owner.post("/v1/calls", {"account_id": str(new_id()), "number": NUMBER})
    assert nowhere.status == 422
    assert (await owner.post("/v1/calls", {"account_id": telephone["id"], "number": "030"})).status == 422
