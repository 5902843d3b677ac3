"""What search knows: documents made of events, and the text they are found by."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from flotilla.events import crm, messaging
from flotilla.events.base import Event, contract_of

MAX_TERMS: Final = 8
"""Further words of a query are not looked at."""


_WORD: Final = re.compile(r"[^\W_]+")

EXCERPT: Final = 240
"""Letters of an excerpt."""


class Kind(StrEnum):
    """What can be found."""

    CONTACT = "contact"
    COMPANY = "company"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that can be found. A newer version takes the place of an older one, never the reverse."""

    org: UUID
    kind: Kind
    id: UUID
    version: int
    """The owner's `sequence`."""
    title: str
    body: str
    person: str | None
    """Whose personal data it holds: it goes when they are erased."""
    conversation_id: UUID | None
    occurred_at: datetime

    @property
    def text(self) -> str:
        """What is searched: its words."""
        return " ".join(words_of(f"{self.title} {self.body}"))


@dataclass(frozen=True, slots=True)
class Source:
    """An archived event that a document is made of, opened."""

    org: UUID
    version: int
    time: datetime
    person: str | None
    data: Any
    """The contract's struct."""


def document_of(source: Source) -> Document:
    """The document of an event of one of `TYPES`."""
    return _DOCUMENTS[type(source.data)](source)


def words_of(text: str) -> list[str]:
    """The words of a text without case and accents: alike for what is stored and what is asked."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    if not letters.isascii():
        letters = "".join([letter for letter in letters if not unicodedata.combining(letter)])
    return _WORD.findall(letters)


def terms_of(query: str) -> list[str]:
    """The different words of a query; none where it has no letter or digit."""
    return list(dict.fromkeys(words_of(query)))[:MAX_TERMS]


def excerpt(body: str, query: str) -> str:
    """The stretch of a text around the first word of the query that stands in it, or its beginning."""
    lowered = body.casefold()
    found = [at for term in query.casefold().split() if (at := lowered.find(term)) >= 0]
    start = max(0, min(found, default=0) - EXCERPT // 4)
    end = start + EXCERPT
    return ("…" if start else "") + body[start:end] + ("…" if end < len(body) else "")


def _contact(source: Source) -> Document:
    data: crm.Contact = source.data
    body = _joined(data.email, data.phone, *data.tags)
    return _document(source, Kind.CONTACT, data.contact_id, _joined(data.name), body)


def _gone(source: Source) -> Document:
    """Of a contact that is no more: nothing it could be found by, in the place of what it was."""
    return _document(source, Kind.CONTACT, source.data.contact_id, "", "")


def _company(source: Source) -> Document:
    data: crm.Company = source.data
    return _document(source, Kind.COMPANY, data.company_id, data.name, _joined(data.domain, *data.tags))


def _received(source: Source) -> Document:
    data: messaging.MessageReceived = source.data
    sender = _joined(data.sender.name, data.sender.username) if data.sender else ""
    return _message(source, data.message_id, sender, data.text, data.conversation_id, data.sent_at)


def _sent(source: Source) -> Document:
    data: messaging.MessageSendRequested = source.data
    return _message(source, data.message_id, "", data.text, data.conversation_id, data.queued_at)


def _message(
    source: Source, key: UUID, title: str, text: str | None, conversation_id: UUID, time: datetime
) -> Document:
    return Document(
        source.org,
        Kind.MESSAGE,
        key,
        source.version,
        title,
        _joined(text),
        source.person,
        conversation_id,
        time,
    )


def _document(source: Source, kind: Kind, key: UUID, title: str, body: str) -> Document:
    return Document(source.org, kind, key, source.version, title, body, source.person, None, source.time)


def _joined(*parts: str | None) -> str:
    return " ".join(part.replace("\0", "") for part in parts if part)


_DOCUMENTS: Final[dict[type[Event], Callable[[Source], Document]]] = {
    crm.ContactCreated: _contact,
    crm.ContactUpdated: _contact,
    crm.ContactUnmerged: _contact,
    crm.ContactMerged: _gone,
    crm.ContactDeleted: _gone,
    crm.CompanyCreated: _company,
    crm.CompanyUpdated: _company,
    messaging.MessageReceived: _received,
    messaging.MessageSendRequested: _sent,
}

TYPES: Final = tuple(contract_of(data).type for data in _DOCUMENTS)
"""The events that documents are made of."""
