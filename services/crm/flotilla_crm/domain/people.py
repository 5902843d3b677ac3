"""Which contact is the person behind a channel identity that nobody has seen before.

A phone number or e-mail address that the channel vouches for leads to the contact that has it, if there is
exactly one; where two contacts could be meant, guessing would mix two people's histories, so a new one is made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flotilla.events.integrations import SenderProfile

from flotilla_crm.domain import normal


@dataclass(frozen=True)
class Reach:
    """A way to reach a person, normalised: at most one of the two is set."""

    org: UUID
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """A channel identity that was not known, and the contact it will be if nobody matches."""

    org: UUID
    identity_id: UUID
    proposed_id: UUID
    channel: str
    account_id: UUID
    address: str | None
    name: str | None
    email: str | None
    phone: str | None
    language: str | None
    wrote_at: datetime
    """When they last wrote: an identity whose contact is gone gets a new one by what was written after that."""
    sequence: int = 1
    """The identity's, once it is claimed."""

    @property
    def reaches(self) -> list[Reach]:
        """The ways by which an existing contact may be found."""
        by_email = [Reach(self.org, email=self.email)] if self.email else []
        by_phone = [Reach(self.org, phone=self.phone)] if self.phone else []
        return by_email + by_phone


@dataclass(frozen=True)
class Introduction:
    """Who the stranger is."""

    stranger: Stranger
    contact_id: UUID
    new: bool
    """Whether the contact is to be made."""


def introduce(strangers: Sequence[Stranger], known: Iterable[tuple[Reach, UUID]]) -> list[Introduction]:
    """Say who each stranger is; two strangers with one phone number or e-mail address are one person."""
    found: dict[Reach, set[UUID]] = {}
    for reach, contact_id in known:
        found.setdefault(reach, set()).add(contact_id)
    introductions = []
    for stranger in strangers:
        meant = set().union(*(found.get(reach, set()) for reach in stranger.reaches))
        new = len(meant) != 1
        contact_id = stranger.proposed_id if new else meant.pop()
        introductions.append(Introduction(stranger, contact_id, new))
        if new:
            for reach in stranger.reaches:
                found.setdefault(reach, set()).add(contact_id)
    return introductions


def stranger(
    *,
    org: UUID,
    identity_id: UUID,
    proposed_id: UUID,
    channel: str,
    account_id: UUID,
    sender: SenderProfile | None,
    wrote_at: datetime,
) -> Stranger:
    """The stranger of a message; what the channel says and does not fit is left out, never refused."""
    known = sender or SenderProfile(address=None)
    return Stranger(
        org=org,
        identity_id=identity_id,
        proposed_id=proposed_id,
        channel=channel,
        account_id=account_id,
        address=(known.address or "").replace("\0", "") or None,
        name=_or_none(normal.name, (known.name or "")[: normal.MAX_NAME])
        or _or_none(normal.name, (known.username or "")[: normal.MAX_NAME]),
        email=_or_none(normal.email, known.email),
        phone=_or_none(normal.phone, _international(known.phone)),
        language=_or_none(normal.language, known.language),
        wrote_at=wrote_at,
    )


def _or_none(normalise: "normal.Normaliser", value: str | None) -> str | None:
    try:
        return normalise(value) if value else None
    except ValueError:
        return None


def _international(phone: str | None) -> str | None:
    """Channels give numbers with the country's code, but often without its plus sign."""
    if phone and phone[0].isdigit() and not phone.startswith("0"):
        return f"+{phone}"
    return phone
