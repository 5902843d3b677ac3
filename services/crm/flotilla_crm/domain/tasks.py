"""Tasks and notes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flotilla.events import crm as events

from flotilla_crm.domain.revision import Changed


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to do, by somebody, until some time, about a person, a company or a conversation."""

    id: UUID
    sequence: int = 1
    title: str
    state: str = "open"
    assignee_id: UUID | None = None
    due_at: datetime | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    conversation_id: UUID | None = None
    created_by: UUID | None = None
    """The person who made it; none for one that another service asked for."""
    created_at: datetime
    completed_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state == "open"

    def created(self) -> events.TaskCreated:
        """Tells that it came to be."""
        return events.TaskCreated(**self._state())

    def updated(self, changed: Changed) -> events.TaskUpdated:
        """Tells that it changed."""
        return events.TaskUpdated(**self._state(), changed=changed)

    def completed(self) -> events.TaskCompleted:
        """Tells that it is done."""
        return events.TaskCompleted(**self._state(), changed={"state": ["open", self.state]})

    def due(self) -> events.TaskDue:
        """Tells that its time has come."""
        return events.TaskDue(**self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "task_id": self.id,
            "title": self.title,
            "state": self.state,
            "assignee_id": self.assignee_id,
            "due_at": self.due_at,
            "contact_id": self.contact_id,
            "company_id": self.company_id,
            "conversation_id": self.conversation_id,
            "completed_at": self.completed_at,
        }


@dataclass(frozen=True, kw_only=True)
class Note:
    """What somebody wrote down about a person or a company, for all who work with them."""

    id: UUID
    sequence: int = 1
    author_id: UUID
    text: str
    contact_id: UUID | None = None
    company_id: UUID | None = None
    created_at: datetime

    def created(self) -> events.NoteCreated:
        """Tells that it was written."""
        return events.NoteCreated(
            note_id=self.id,
            author_id=self.author_id,
            text=self.text,
            contact_id=self.contact_id,
            company_id=self.company_id,
            created_at=self.created_at,
        )
