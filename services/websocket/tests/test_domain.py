"""Rules without servers."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
import websockets.frames
from flotilla.bus.envelope import decode, encode
from flotilla.cause import Cause
from flotilla.events.auth import ApiKeyRevoked
from flotilla.events.base import Envelope
from flotilla.ids import new_id
from flotilla.security.principal import Principal
from flotilla_websocket.domain.audience import Viewer, tokens
from flotilla_websocket.domain.entry import Entry, entry_of, from_bytes, to_bytes
from flotilla_websocket.domain.records import Record
from flotilla_websocket.domain.topics import MAX_TOPICS, UnknownTopicError, parse, topics_of
from flotilla_websocket.frames import EventFrame, Frame, frame
from flotilla_websocket.peer import AT_ONCE_BYTES, Peer
from flotilla_websocket.protocol import NotUnderstoodError, Pong, Resume, Subscribe, read

from services.websocket.tests.listening import contact, now

ORG = new_id()


def _viewer(role: str, user_id: UUID | None = None) -> Viewer:
    who = Principal(org=ORG, user_id=user_id or new_id(), session_id=new_id(), role=role, expires_at=0)
    return Viewer.of(who)


def _message() -> Record:
    return Record("conversations", None)


@pytest.mark.parametrize(
    ("role", "audience", "sees"),
    [
        ("owner", None, True),
        ("admin", None, True),
        ("admin", "user:00000000-0000-0000-0000-000000000001", True),
        ("team_owner", None, False),
        ("team_member", None, False),
        ("viewer", None, False),
        ("client", None, False),
        ("team_owner", "org", True),
        ("team_member", "org", True),
        ("viewer", "org", True),
        ("client", "org", False),
        ("team_member", "user:00000000-0000-0000-0000-000000000001 org", True),
        ("team_member", "team:00000000-0000-0000-0000-000000000001", False),
        ("team_member", "user:00000000-0000-0000-0000-000000000001", False),
        ("", "org", False),
    ],
)
def test_who_sees_what(role: str, audience: str | None, *, sees: bool) -> None:
    assert _viewer(role).may_see(ORG, tokens(audience), _message) is sees
    assert not _viewer(role).may_see(new_id(), tokens(audience), _message)


@pytest.mark.parametrize("scope", ["own", "team"])
def test_who_sees_their_own_only_is_told_of_no_other(scope: str) -> None:
    me, other = new_id(), new_id()
    grants = {"conversations:read": scope, "deals:read": "all", "profile:read": "all"}
    who = Principal(
        org=ORG,
        user_id=me,
        session_id=new_id(),
        role="viewer",
        expires_at=0,
        grants=grants,
        colleagues=(other,),
    )

    def sees(resource: str | None, owner: UUID | None) -> bool:
        return Viewer.of(who).may_see(ORG, tokens("org"), lambda: Record(resource, owner))

    assert sees("conversations", me)
    assert not sees("conversations", other)
    assert not sees("conversations", None)
    assert sees("deals", other)
    assert not sees("contacts", other), "which it may not read at all"
    assert not sees("unknown", None)
    assert sees(None, None)


@pytest.mark.parametrize("role", ["client", "team_member"])
def test_what_is_for_me_i_see(role: str) -> None:
    me = new_id()
    assert _viewer(role, me).may_see(ORG, tokens(f"user:{new_id()} user:{me}"), _message)


def _envelope() -> Envelope:
    cause = Cause(correlation_id=new_id(), causation_id=new_id(), traceparent="00-aa-bb-01", actor="user:1")
    outgoing = encode(contact(), org=ORG, sequence=7, cause=cause, region="eu", audience="org")
    return decode(outgoing.body)


def test_the_public_event_holds_nothing_internal() -> None:
    envelope = _envelope()
    public = msgspec.json.decode(entry_of(envelope).event)
    assert set(public) == {"id", "type", "time", "subject", "sequence", "actor", "correlation_id", "data"}
    assert (public["sequence"], public["type"], public["data"]["name"]) == (7, "contact.created.v1", "Zoë")


def test_what_is_internal_to_the_fleet_is_in_no_feed() -> None:
    given: dict[str, Any] = {"name": "ERP", "scopes": [], "role": "admin", "created_by": new_id()}
    revoked = ApiKeyRevoked(
        api_key_id=new_id(), expires_at=None, revoked_at=now(), reason="revoked", verifier="ab" * 32, **given
    )
    cause = Cause(correlation_id=new_id(), causation_id=new_id(), traceparent="00-aa-bb-01", actor="user:1")
    outgoing = encode(revoked, org=ORG, sequence=2, cause=cause, region="eu", audience=None)
    data = msgspec.json.decode(entry_of(decode(outgoing.body)).event)["data"]
    assert (data["api_key_id"], data["verifier"]) == (str(revoked.api_key_id), None)


def test_entries_travel_between_replicas() -> None:
    entries = [entry_of(_envelope()), entry_of(_envelope())]
    assert from_bytes(to_bytes(entries)) == entries


def test_an_event_is_found_under_its_kind_and_its_contact() -> None:
    entry = entry_of(_envelope())
    contact_id = msgspec.json.decode(entry.event)["data"]["contact_id"]
    assert topics_of(entry) == {"contacts", f"contact:{contact_id}"}


def test_topics_are_checked() -> None:
    thing = new_id()
    assert parse(None) is None
    assert parse(["drafts", f"conversation:{str(thing).upper()}"]) == frozenset(
        {"drafts", f"conversation:{thing}"}
    )
    for wrong in (["everything"], ["conversation:7"], ["task:" + str(thing)], ["drafts"] * (MAX_TOPICS + 1)):
        with pytest.raises(UnknownTopicError):
            parse(wrong)


def test_what_clients_say_is_read_strictly() -> None:
    id_ = new_id()
    assert read('{"type":"pong"}') == Pong()
    assert read(f'{{"type":"resume","last_event_id":"{id_}"}}') == Resume(last_event_id=id_)
    assert read('{"type":"subscribe","topics":null}') == Subscribe(topics=None)
    for wrong in (
        "",
        "{",
        "[]",
        '{"type":"shout"}',
        '{"type":"resume"}',
        '{"type":"resume","last_event_id":"7"}',
        "\ud800",
    ):
        with pytest.raises(NotUnderstoodError):
            read(wrong)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_is_what_a_library_makes_of_its_text(size: int) -> None:
    text = ("ж" + "x" * size)[:size]
    theirs = websockets.frames.Frame(websockets.frames.Opcode.TEXT, text.encode())
    assert Frame(text).wire == theirs.serialize(mask=False, extensions=[])


def test_what_is_offered_is_written_at_once_only_where_nothing_waits_and_it_is_little() -> None:
    who = Principal(org=ORG, user_id=new_id(), session_id=new_id(), role="owner", expires_at=0)
    peer, written = Peer(who, 1000), list[bytes]()
    takes = True

    def write(data: bytes) -> bool:
        if takes:
            written.append(data)
        return takes

    peer.write = write
    small = [EventFrame(_entry("{}")) for _ in range(3)]
    large = [EventFrame(_entry("x" * (AT_ONCE_BYTES // 4))) for _ in range(5)]
    assert peer.offer(small) == 3
    assert written == [b"".join(each.wire for each in small)]
    takes = False  # a client that does not read
    assert peer.offer(small[:1]) == 1
    takes = True
    peer.offer(small[1:])  # stays behind what waits
    assert (len(written), peer._take()) == (1, small)
    peer.offer(large)
    assert len(written) == 1
    assert peer._take() == large[:4]
    peer.tell(frame(Pong()))
    assert peer._take()[:1] == large[4:]


def _entry(event: str) -> Entry:
    return Entry(new_id(), ORG, "contact.created.v1", "org", event)
