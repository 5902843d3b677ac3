"""What a client may ask to be told only of."""

from typing import Final
from uuid import UUID

from flotilla_websocket.domain.entry import Entry, said

MAX_TOPICS: Final = 200
KINDS: Final = {
    "conversation": "conversations",
    "message": "messages",
    "ai.draft": "drafts",
    "contact": "contacts",
    "task": "tasks",
    "note": "notes",
    "integration": "integrations",
    "notification": "notifications",
}
"""Entity → the topic of all its events."""
THINGS: Final = ("conversation", "contact")
"""What can be followed one by one: `conversation:<id>`."""


class UnknownTopicError(ValueError):
    """There is no such topic."""


def parse(topics: list[str] | None) -> frozenset[str] | None:
    """The topics, checked; None for everything."""
    if topics is None:
        return None
    if len(topics) > MAX_TOPICS:
        raise UnknownTopicError(f"At most {MAX_TOPICS} topics.")
    return frozenset(_checked(topic) for topic in topics)


def topics_of(entry: Entry) -> frozenset[str]:
    """The topics under which an event is found."""
    entity = entry.type.rsplit(".", 2)[0]
    concerned = said(entry).data
    found = {KINDS.get(entity, "")}
    if concerned.conversation_id is not None:
        found.add(f"conversation:{concerned.conversation_id}")
    if concerned.contact_id is not None:
        found.add(f"contact:{concerned.contact_id}")
    return frozenset(found)


def _checked(topic: str) -> str:
    if topic in KINDS.values():
        return topic
    thing, _, id_ = topic.partition(":")
    try:
        if thing in THINGS:
            return f"{thing}:{UUID(id_)}"
    except ValueError:
        pass
    known = ", ".join([*KINDS.values(), *(f"{thing}:<id>" for thing in THINGS)])
    raise UnknownTopicError(f"{topic[:80]!r} is no topic; there are {known}.")
