"""Rules, without servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from flotilla.ids import new_id
from flotilla_messaging.domain.conversations import Conversation, SnoozeError, State, changes
from flotilla_messaging.domain.delivery import Fact, NotSentYetError, advance
from flotilla_messaging.domain.messages import (
    Arrival,
    Message,
    MessageState,
    Reply,
    place_arrivals,
    place_reply,
    send_again,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
S = MessageState


def conversation() -> Conversation:
    return Conversation(
        organization_id=new_id(),
        id=new_id(),
        account_id=new_id(),
        channel="telegram",
        chat="1",
        identity_id=new_id(),
        contact_id=None,
        state=State.OPEN,
        assignee_id=None,
        snoozed_until=None,
        ai_enabled=True,
        opened_at=NOW,
        resolved_at=None,
        last_position=0,
        last_message_id=None,
        last_message_at=NOW,
        unanswered_since=None,
        sends=0,
        sequence=1,
    )


def arrival(second: int = 0) -> Arrival:
    return Arrival(new_id(), new_id(), str(second), NOW + timedelta(seconds=second))


def queued() -> tuple[Conversation, Message]:
    waiting, _ = place_arrivals(conversation(), [arrival()])
    return place_reply(waiting, Reply(new_id(), "user:x", None, NOW + timedelta(minutes=1)))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_arrivals_take_gapless_positions_in_order_of_time_and_id(seconds: list[int]) -> None:
    before = replace(conversation(), last_position=7)
    arrivals = [arrival(second) for second in seconds]
    after, placed = place_arrivals(before, arrivals)
    assert [each.position for each in placed] == list(range(8, 8 + len(seconds)))
    assert [each.id for each in placed] == [
        each.id for each in sorted(arrivals, key=lambda each: (each.sent_at, each.id))
    ]
    assert (after.last_position, after.last_message_id) == (placed[-1].position, placed[-1].id)


def test_the_customer_waits_since_their_oldest_unanswered_message() -> None:
    waiting, _ = place_arrivals(conversation(), [arrival(0)])
    waiting, _ = place_arrivals(waiting, [arrival(5)])
    answered, reply = place_reply(waiting, Reply(new_id(), "user:x", None, NOW))
    assert reply.responds_to_at == NOW
    assert answered.unanswered_since is None
    _, second = place_reply(answered, Reply(new_id(), "user:x", None, NOW))
    assert second.responds_to_at is None
    assert (second.position, answered.sends) == (4, 1)


def test_writing_reopens_what_was_put_aside_or_done() -> None:
    for before in (conversation().snoozed(NOW + timedelta(hours=1), NOW), conversation().resolved(NOW)):
        after, _ = place_arrivals(before, [arrival()])
        assert (after.state, after.snoozed_until, after.resolved_at) == (State.OPEN, None, None)
        assert after.sequence == before.sequence + 1


def test_what_changes_nothing_is_the_same_conversation() -> None:
    open_ = conversation()
    assert open_.reopened() is open_
    assert open_.assigned(None) is open_
    done = open_.resolved(NOW)
    assert done.resolved(NOW) is done
    assert changes(open_, done) == {
        "state": [State.OPEN, State.RESOLVED],
        "resolved_at": [None, NOW],
    }


def test_a_snooze_ends_in_the_near_future() -> None:
    for until in (NOW, NOW - timedelta(seconds=1), NOW + timedelta(days=400)):
        with pytest.raises(SnoozeError):
            conversation().snoozed(until, NOW)


FACTS = {
    S.UNKNOWN: Fact(S.UNKNOWN, NOW),
    S.SENT: Fact(S.SENT, NOW, external_id="9"),
    S.DELIVERED: Fact(S.DELIVERED, NOW),
    S.READ: Fact(S.READ, NOW),
    S.FAILED: Fact(S.FAILED, NOW, reason="no"),
}


def apply(message: Message, order: tuple[MessageState, ...]) -> Message:
    """Facts in this order; what comes too early is held and tried again after each of the others."""
    held = list(order)
    while held:
        waiting = []
        for state in held:
            try:
                message = (advance(message, FACTS[state]) or [message])[-1]
            except NotSentYetError:
                waiting.append(state)
        if len(waiting) == len(held):
            break
        held = waiting
    return message


@pytest.mark.parametrize("order", list(permutations([S.SENT, S.DELIVERED, S.READ])))
def test_receipts_in_any_order_end_at_read(order: tuple[MessageState, ...]) -> None:
    assert apply(queued()[1], order).state is S.READ


RANKS = [S.QUEUED, S.UNKNOWN, S.FAILED, S.SENT, S.DELIVERED, S.READ]


@given(st.lists(st.sampled_from(RANKS[1:]), max_size=12))
def test_whatever_order_facts_come_in_the_highest_one_stands(order: list[MessageState]) -> None:
    """Receipts alone, of a message that the channel has not said it took, are held."""
    message = apply(queued()[1], tuple(order))
    settled = [state for state in order if state not in (S.DELIVERED, S.READ)]
    expected = max([S.QUEUED, *order], key=RANKS.index) if settled else S.QUEUED
    assert message.state is expected


def test_a_receipt_proves_that_an_unknown_or_failed_message_was_sent() -> None:
    for lost in (S.UNKNOWN, S.FAILED):
        message = advance(queued()[1], FACTS[lost])[0]
        assert [each.state for each in advance(message, FACTS[S.READ])] == [S.SENT, S.READ]


def test_states_only_move_forward() -> None:
    _, message = queued()
    for state in (S.UNKNOWN, S.SENT, S.DELIVERED, S.READ):
        message = advance(message, FACTS[state])[0] if state is not message.state else message
        for earlier in (S.UNKNOWN, S.SENT, S.FAILED):
            if state in (S.SENT, S.DELIVERED, S.READ):
                assert advance(message, FACTS[earlier]) == []
    assert message.external_id == "9"
    assert message.sequence == 5


def test_sending_again_takes_the_next_number() -> None:
    talk, message = queued()
    lost = advance(message, FACTS[S.UNKNOWN])[0]
    after, again = send_again(talk, lost, NOW)
    assert (after.sends, again.state, again.position) == (2, S.QUEUED, message.position)
