"""Verifies a download of the audit log by itself: says what was changed, is missing, was inserted or reordered.

The chain shows it of each act and block; the signature, of the file as a whole: also what others' entries in the blocks
would hide, as an act that was left out everywhere. Who can sign for the instance could make another file: then a head
that was noted elsewhere (`flotilla archive verify`) is no longer in it.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flotilla_analytics.domain import chain
from flotilla_analytics.domain.audit_file import (
    BlockLine,
    EndLine,
    EventLine,
    Head,
    SignatureLine,
    digests_of,
    read_line,
)
from flotilla_analytics.domain.chain import Entry
from flotilla_analytics.export_contents import differences, identity_of
from flotilla_analytics.verification import Finding, Wrong


@dataclass(frozen=True, slots=True)
class Seen:
    """An act's line."""

    line: int
    position: int
    event_id: UUID | None
    digest: bytes
    """Of the entry that it makes."""
    hash: bytes
    """Of the line."""


@dataclass
class Reading:
    """What a file says, and what is wrong with it."""

    head: Head | None = None
    acts: list[Seen] = field(default_factory=list)
    blocks: list[BlockLine] = field(default_factory=list)
    end: EndLine | None = None
    key: str = ""
    """Whose signature it bears; empty where it bears none."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything is as it was exported."""
        return not self.findings

    def wrong(
        self, wrong: Wrong, what: str, position: int | None = None, event_id: UUID | None = None
    ) -> None:
        """Something is."""
        self.findings.append(Finding(wrong, what, position, event_id))


def verify_export(
    lines: Iterable[bytes], *, key: str = "", noted: tuple[int, bytes] | None = None
) -> Reading:
    """Read a file. `key`: the public key that must have signed it; `noted`: a (position, hash) that must be in it."""
    reading = Reading()
    digest = hashlib.sha256()
    signature: SignatureLine | None = None
    for number, line in enumerate(lines, 1):
        said = _line(reading, number, line)
        if isinstance(said, SignatureLine):
            signature = said
            break
        digest.update(line)
    _check_order(reading)
    _check_chain(reading)
    _check_acts(reading)
    _check_end(reading)
    _check_signature(reading, signature, digest.digest(), key)
    if noted is not None and (noted[0], noted[1].hex()) not in _heads(reading.blocks):
        reading.wrong(Wrong.CHANGED, "the noted head is not in this stretch of the chain", noted[0])
    return reading


def _line(reading: Reading, number: int, line: bytes) -> Any:
    try:
        said = read_line(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        reading.wrong(Wrong.CHANGED, f"line {number} is none of such a file")
        return None
    match said:
        case Head():
            reading.head = said
        case EventLine():
            reading.acts.append(_seen(reading, number, line, said))
        case BlockLine():
            reading.blocks.append(said)
        case EndLine():
            reading.end = said
    return said


def _seen(reading: Reading, number: int, line: bytes, act: EventLine) -> Seen:
    hashed = hashlib.sha256(act.sealed.encode()).digest()
    identity = identity_of(act.sealed)
    if identity is None:
        reading.wrong(Wrong.CHANGED, "archived event", act.position)
        return Seen(number, act.position, None, b"", hashlib.sha256(line).digest())
    event_id, org = identity
    if names := differences(act.sealed, act.shown):
        what = f"what is shown is not what was archived: {', '.join(names)}"
        reading.wrong(Wrong.CHANGED, what, act.position, event_id)
    return Seen(
        number,
        act.position,
        event_id,
        Entry(event_id, org, hashed).digest(),
        hashlib.sha256(line).digest(),
    )


def _check_order(reading: Reading) -> None:
    for before, after in zip(reading.acts, reading.acts[1:], strict=False):
        if after.position == before.position:
            reading.wrong(Wrong.INSERTED, "the same act once more", after.position, after.event_id)
        elif after.position < before.position:
            what = f"stands after position {before.position}"
            reading.wrong(Wrong.REORDERED, what, after.position, after.event_id)


def _check_chain(reading: Reading) -> None:
    before: BlockLine | None = None
    for block in reading.blocks:
        _check_block(reading, block)
        if before is not None:
            _check_link(reading, before, block)
        before = block


def _check_link(reading: Reading, before: BlockLine, block: BlockLine) -> None:
    expected = before.position_to + 1
    if block.position_from < expected:
        what = f"the block stands after the one that ends at {before.position_to}"
        reading.wrong(Wrong.REORDERED, what, block.position_from)
    elif block.position_from > expected:
        what = f"no block covers positions {expected} to {block.position_from - 1}"
        reading.wrong(Wrong.MISSING, what, expected)
    elif block.previous != before.hash:
        reading.wrong(Wrong.CHANGED, "the block does not follow the one before", block.position_from)


def _check_block(reading: Reading, block: BlockLine) -> None:
    """Its hash is that of what it says it holds."""
    try:
        digests = digests_of(block.digests)
        sealed = chain.seal_digests(bytes.fromhex(block.previous), block.position_from, digests)
    except ValueError:
        reading.wrong(Wrong.CHANGED, "the block cannot be read", block.position_from)
        return
    if sealed.hash.hex() == block.hash and sealed.position_to == block.position_to:
        return
    same = sealed.content.hex() == block.content
    wrong = Wrong.REORDERED if same else Wrong.CHANGED
    how = "in another order than" if same else "not the entries that were"
    what = f"positions to {block.position_to} are {how} sealed"
    reading.wrong(wrong, what, block.position_from)


def _check_acts(reading: Reading) -> None:
    """Each act is at its position, and each position that the blocks claim for acts has one."""
    claimed = _claimed(reading.blocks)
    places = {entry: position for position, (entry, _) in claimed.items()}
    found: set[int] = set()
    for act in reading.acts:
        entry, line = claimed.get(act.position, (b"", b""))
        found.add(act.position)
        if entry and entry == act.digest:
            if line != act.hash and not _told(reading, act.position):
                reading.wrong(Wrong.CHANGED, "what is shown", act.position, act.event_id)
        elif act.digest in places:
            what = f"belongs to position {places[act.digest]}"
            reading.wrong(Wrong.REORDERED, what, act.position, act.event_id)
        elif entry:
            reading.wrong(Wrong.CHANGED, "archived event", act.position, act.event_id)
        else:
            reading.wrong(Wrong.INSERTED, "archived event", act.position, act.event_id)
    for position in sorted(claimed.keys() - found):
        reading.wrong(Wrong.MISSING, "no archived event", position)


def _claimed(blocks: Iterable[BlockLine]) -> dict[int, tuple[bytes, bytes]]:
    """Positions of acts, to the digests of their entries and of their lines."""
    claimed: dict[int, tuple[bytes, bytes]] = {}
    for block in blocks:
        try:
            digests, lines = digests_of(block.digests), digests_of(block.lines)
        except ValueError:
            continue
        for place, position in enumerate(block.own):
            within = position - block.position_from
            entry = digests[within] if 0 <= within < len(digests) else b""
            claimed[position] = (entry, lines[place] if place < len(lines) else b"")
    return claimed


def _told(reading: Reading, position: int) -> bool:
    return any(
        finding.position == position and finding.wrong is Wrong.CHANGED for finding in reading.findings
    )


def _check_end(reading: Reading) -> None:
    if reading.head is None:
        reading.wrong(Wrong.MISSING, "the first line, which says whose it is")
    if reading.end is None:
        reading.wrong(Wrong.MISSING, "the end: the file was cut off")
        return
    for name, said, there in (
        ("acts", reading.end.events, len(reading.acts)),
        ("blocks", reading.end.blocks, len(reading.blocks)),
    ):
        if said != there:
            wrong = Wrong.MISSING if there < said else Wrong.INSERTED
            reading.wrong(wrong, f"{there} {name} where there were {said}")


def _check_signature(reading: Reading, signature: SignatureLine | None, digest: bytes, key: str) -> None:
    if signature is None:
        reading.wrong(Wrong.MISSING, "the signature")
        return
    reading.key = signature.key
    if key and key != signature.key:
        reading.wrong(Wrong.CHANGED, "it is signed by another key")
        return
    try:
        _public_key(signature.key).verify(_raw(signature.signature), digest)
    except (InvalidSignature, ValueError):
        reading.wrong(Wrong.CHANGED, "the signature is not of these lines")


def _heads(blocks: Iterable[BlockLine]) -> set[tuple[int, str]]:
    return {(block.position_to, block.hash) for block in blocks}


def _public_key(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(_raw(text))


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
