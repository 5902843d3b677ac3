"""Slots that are kept for bookings: found, claimed against everybody else, or named where there is none."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_crm.domain.availability import Busy, Host, Offer, by_turns, free
from flotilla_crm.domain.bookings import Asked, Held, Refusal
from flotilla_crm.store import bookings, hosts

ATTEMPTS: Final = 5
"""How often the first free slot is looked for, where others are faster."""
LOOK_AHEAD: Final = timedelta(days=14)
OFFERS: Final = 5
"""How many free slots are named where one was not to be had."""

Hosts = Mapping[UUID, Mapping[UUID, Host]]
"""Organization → id → host."""


@dataclass(frozen=True)
class Refused:
    """Why there is none, and what can be had instead."""

    why: Refusal
    offers: tuple[Offer, ...] = ()


async def hold(tx: Transaction, asked: Sequence[Asked]) -> tuple[list[Held], dict[UUID, Refused]]:
    """Keep a slot for each of these, or say why there is none."""
    if not asked:
        return [], {}
    now = await bookings.now(tx)
    known: Hosts = await hosts.bookable(tx, [each.org for each in asked])
    held: list[Held] = []
    refused: dict[UUID, Refusal] = {}
    pending = list(asked)
    for _ in range(ATTEMPTS):
        found = await _found(tx, known, pending, now)
        won, lost = await _claimed(tx, known, found, now)
        held += won
        refused = {id_: why for id_, why in refused.items() if id_ not in lost} | lost
        # Somebody was faster: what is the first that is free is to be looked up again.
        pending = [each for each in pending if each.first_free and lost.get(each.booking_id) is Refusal.TAKEN]
        if not pending:
            break
    refused = {
        id_: why for id_, why in refused.items() if id_ not in {each.asked.booking_id for each in held}
    }
    return held, await _with_offers(tx, known, asked, refused, now)


async def _found(tx: Transaction, known: Hosts, asked: Sequence[Asked], now: datetime) -> list[Asked]:
    """With the slot and the host of each that wants the first that is free; where there is none, as it was."""
    wanted = [each for each in asked if each.first_free]
    if not wanted:
        return list(asked)
    windows = [(each.org, begin := max(each.starts_at, now), begin + LOOK_AHEAD) for each in wanted]
    found: dict[UUID, Asked] = {}
    given: dict[UUID, list[Busy]] = defaultdict(list)
    for each, window, busy in zip(wanted, windows, await hosts.busy(tx, windows), strict=True):
        taken = {host: sorted([*busy[host], *given[host]]) for host in {*busy, *given}}
        named = by_turns(_named(known, each))
        offers = free(named, taken, window[1], window[2], now)
        if offers:
            first = offers[0]
            # Whose turn it is, where some have had one in this batch; the next of it looks past this.
            host = min(
                (host for host in named if host.id in first.host_ids), key=lambda host: len(given[host.id])
            )
            given[host.id].append((first.starts_at, first.starts_at + host.taken))
            found[each.booking_id] = replace(each, starts_at=first.starts_at, host_ids=(host.id,))
    return [found.get(each.booking_id, each) for each in asked]


async def _claimed(
    tx: Transaction, known: Hosts, asked: Sequence[Asked], now: datetime
) -> tuple[list[Held], dict[UUID, Refusal]]:
    """What of these could be held, and why the others could not."""
    held: list[Held] = []
    refused: dict[UUID, Refusal] = {}
    left: dict[UUID, list[Host]] = {}
    for each in asked:
        named = _named(known, each)
        left[each.booking_id] = [host for host in by_turns(named) if host.offers(each.starts_at, now)]
        if not left[each.booking_id]:
            refused[each.booking_id] = Refusal.NOT_OFFERED if named else Refusal.UNKNOWN_HOST
    pending = [each for each in asked if each.booking_id not in refused]
    # A round asks for one host for each, all in one statement; who did not get theirs asks for the next.
    turns: Counter[UUID] = Counter()
    while pending:
        tries = [Held(each, tx.app.new_id(), _next(left[each.booking_id], turns)) for each in pending]
        won = await hosts.claim(tx, tries)
        held += [each for each in tries if each.hold_id in won]
        lost = [each.asked for each in tries if each.hold_id not in won]
        pending = [each for each in lost if left[each.booking_id]]
        refused |= {each.booking_id: Refusal.TAKEN for each in lost if not left[each.booking_id]}
    return held, refused


def _next(left: list[Host], turns: Counter[UUID]) -> Host:
    """Whose turn it is, among hosts in their order, where some have had one in this batch; it is left no more."""
    host = min(left, key=lambda host: turns[host.id])
    turns[host.id] += 1
    left.remove(host)
    return host


async def _with_offers(
    tx: Transaction, known: Hosts, asked: Sequence[Asked], refused: Mapping[UUID, Refusal], now: datetime
) -> dict[UUID, Refused]:
    late = [each for each in asked if each.booking_id in refused]
    if not late:
        return {}
    windows = [(each.org, begin, begin + LOOK_AHEAD) for each in late if (begin := max(each.starts_at, now))]
    found: dict[UUID, Refused] = {}
    for each, window, busy in zip(late, windows, await hosts.busy(tx, windows), strict=True):
        offers = free(_named(known, each), busy, window[1], window[2], now)
        found[each.booking_id] = Refused(refused[each.booking_id], tuple(offers[:OFFERS]))
    return found


def _named(known: Hosts, asked: Asked) -> list[Host]:
    """The hosts of whom one is wanted, those of them that can be booked."""
    here = known.get(asked.org, {})
    return [here[id_] for id_ in (dict.fromkeys(asked.host_ids) or here) if id_ in here]
