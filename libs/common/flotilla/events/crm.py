"""Events of crm: contacts, companies, tasks, notes. Leads and bookings have modules of their own."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, Money, Personal, event

_event = partial(event, owner="crm")


class Contact(Event, frozen=True, kw_only=True):
    """The state of a contact."""

    contact_id: UUID
    name: Personal
    email: Personal
    phone: Personal
    language: str | None
    company_id: UUID | None
    owner_id: UUID | None
    tags: list[str]
    source: str
    """`channel`, `manual`, `api` or `import`."""


@_event("contact.created.v1", subject="contact_id", person=("contact_id",))
class ContactCreated(Contact, frozen=True, kw_only=True):
    """A person became known."""


@_event("contact.updated.v1", subject="contact_id", person=("contact_id",))
class ContactUpdated(Contact, frozen=True, kw_only=True):
    """Something about them changed."""


@_event("contact.merged.v1", subject="contact_id")
class ContactMerged(Event, frozen=True, kw_only=True):
    """Two contacts were one person: this one is no more, and what was its is the other's.

    Each moved identity is told of by a `contact.identified` of its own too, what changed in the other by
    `contact.updated`.
    """

    contact_id: UUID
    """The one that is no more."""
    into_contact_id: UUID
    merge_id: UUID
    identity_ids: list[UUID]
    """Channel identities that moved."""


@_event("contact.unmerged.v1", subject="contact_id", person=("contact_id",))
class ContactUnmerged(Contact, frozen=True, kw_only=True):
    """They were two persons after all: this one is there again, as it was, with what it had brought."""

    from_contact_id: UUID
    """The one that it had been merged into."""
    merge_id: UUID
    identity_ids: list[UUID]
    """Channel identities that moved back."""


@_event("contact.deleted.v1", subject="contact_id")
class ContactDeleted(Event, frozen=True, kw_only=True):
    """It is gone for good; a copy of it shall go too, and nothing that comes late may bring it back."""

    contact_id: UUID
    identity_ids: list[UUID]
    """Channel identities that are nobody's now: a new message of theirs makes a new contact."""


@_event("contact.located.v1", subject="contact_id", person=("contact_id",))
class ContactLocated(Event, frozen=True, kw_only=True):
    """Where a contact lives, as far as the law of marketing asks, is known by their telephone number, or known no more.

    Its sequence is that of the contact's state which has the number.
    """

    contact_id: UUID
    region: Personal
    """`eu`, `uk`, `ca` or `us`, by the country of their number; null where no rule of its own is for that."""


@_event("consent.changed.v1", subject="consent_id", person=("contact_id",))
class ConsentChanged(Event, frozen=True, kw_only=True):
    """A person allowed something, or no longer does."""

    consent_id: UUID
    """One for each contact, channel and purpose."""
    contact_id: UUID
    channel: str
    """`any` or a channel: `email`, `telegram`, …"""
    purpose: str
    """`marketing`, `service`, `analytics` or `profiling`."""
    state: str
    """`granted` or `withdrawn`."""
    legal_basis: str
    """`consent`, `contract`, `legitimate_interest` or `legal_obligation`."""
    source: str
    """Where it was said: `form`, `message`, `call`, `import`, `paper`, `merge` or `api`."""
    evidence: Personal
    """What shows it: words, a link, the number of a paper."""
    said_at: Moment


class SegmentMembership(Event, frozen=True, kw_only=True):
    """A contact and a segment."""

    membership_id: UUID
    """One for each contact and segment, whichever way it changes."""
    segment_id: UUID
    segment_name: str
    contact_id: UUID
    changed_at: Moment


@_event("segment.entered.v1", subject="membership_id")
class SegmentEntered(SegmentMembership, frozen=True, kw_only=True):
    """The contact fits the segment's conditions now."""


@_event("segment.left.v1", subject="membership_id")
class SegmentLeft(SegmentMembership, frozen=True, kw_only=True):
    """It fits them no more, is no more, or the segment was deleted."""


class Import(Event, frozen=True, kw_only=True):
    """An import and how far it has come."""

    import_id: UUID
    state: str
    """`running`, `checked` after a dry run, `done` or `failed`."""
    dry_run: bool
    """Whether nothing is written."""
    rows_read: int
    created: int
    updated: int
    failed: int
    """Rows that do not fit: /v1/imports/{import_id}/errors says why."""


@_event("import.progressed.v1", subject="import_id")
class ImportProgressed(Import, frozen=True, kw_only=True):
    """Some more of its rows are in."""


@_event("import.finished.v1", subject="import_id")
class ImportFinished(Import, frozen=True, kw_only=True):
    """It came to its end."""

    reason: str | None
    """Why it failed."""


@_event("contact.update.requested.v1", subject="request_id", wish=True)
class ContactUpdateRequested(Event, frozen=True, kw_only=True):
    """A contact shall be given to somebody, or be tagged. Answered by `contact.updated`, also where nothing differs,
    or by `contact.update.failed`.
    """

    request_id: UUID
    contact_id: UUID
    owner_id: UUID | None = None
    """Null: whose it is stays."""
    tags_added: list[str] = msgspec.field(default_factory=list)
    tags_removed: list[str] = msgspec.field(default_factory=list)


@_event("contact.update.failed.v1", subject="request_id")
class ContactUpdateFailed(Event, frozen=True, kw_only=True):
    """Nothing changed; the reason says why."""

    request_id: UUID
    contact_id: UUID
    reason: str
    """`unknown_contact`, `unknown_owner`, `unfit_tag` or `too_many_tags`."""


@_event("contact.identified.v1", subject="identity_id", person=("contact_id",))
class ContactIdentified(Event, frozen=True, kw_only=True):
    """The person behind a channel identity is this contact."""

    identity_id: UUID
    contact_id: UUID
    channel: str
    address: Personal
    name: Personal


class Company(Event, frozen=True, kw_only=True):
    """The state of a company."""

    company_id: UUID
    name: str
    domain: str | None
    owner_id: UUID | None
    tags: list[str]


@_event("company.created.v1", subject="company_id")
class CompanyCreated(Company, frozen=True, kw_only=True):
    """A company became known."""


@_event("company.updated.v1", subject="company_id")
class CompanyUpdated(Company, frozen=True, kw_only=True):
    """Something about it changed."""


class Task(Event, frozen=True, kw_only=True):
    """The state of a task."""

    task_id: UUID
    title: Personal
    state: str
    """`open` or `completed`."""
    assignee_id: UUID | None
    due_at: Moment | None
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None
    completed_at: Moment | None


@_event("task.created.v1", subject="task_id", person=("contact_id", "task_id"))
class TaskCreated(Task, frozen=True, kw_only=True):
    """There is something to do."""


@_event("task.updated.v1", subject="task_id", person=("contact_id", "task_id"))
class TaskUpdated(Task, frozen=True, kw_only=True):
    """Its title, assignee, time or what it is about changed."""


@_event("task.completed.v1", subject="task_id", person=("contact_id", "task_id"))
class TaskCompleted(Task, frozen=True, kw_only=True):
    """It was done."""


@_event("task.due.v1", subject="task_id", person=("contact_id", "task_id"))
class TaskDue(Task, frozen=True, kw_only=True):
    """Its time has come and it is still open."""


@_event("task.requested.v1", subject="request_id", person=("contact_id", "request_id"), wish=True)
class TaskRequested(Event, frozen=True, kw_only=True):
    """Somebody shall do something. Answered by `task.created` or `task.failed`.

    The task has the id of the request, so that who asked can take it back before it has heard of it.
    """

    request_id: UUID
    title: Personal
    assignee_id: UUID | None
    due_at: Moment | None
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None


@_event("task.failed.v1", subject="request_id")
class TaskFailed(Event, frozen=True, kw_only=True):
    """There is no such task; the reason says why."""

    request_id: UUID
    reason: str
    """`cancelled`, `untitled`, `unknown_assignee`, `unknown_contact` or `unknown_company`."""


@_event("task.delete.requested.v1", subject="request_id", wish=True)
class TaskDeleteRequested(Event, frozen=True, kw_only=True):
    """A task, or the wish for one, is taken back. Answered by `task.deleted` or `task.delete.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `task.deleted` as well.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `task.requested` to undo."""
    reason: str


@_event("task.deleted.v1", subject="task_id")
class TaskDeleted(Event, frozen=True, kw_only=True):
    """It is gone, or it will never be."""

    task_id: UUID
    request_id: UUID
    """The `task.delete.requested` that this answers."""
    reason: str


@_event("task.delete.failed.v1", subject="request_id")
class TaskDeleteFailed(Event, frozen=True, kw_only=True):
    """It stays, for it is done already."""

    request_id: UUID
    cancels: UUID
    reason: str


@_event("note.created.v1", subject="note_id", person=("contact_id", "note_id"))
class NoteCreated(Event, frozen=True, kw_only=True):
    """Somebody wrote something down."""

    note_id: UUID
    author_id: UUID
    text: Personal
    contact_id: UUID | None
    company_id: UUID | None
    created_at: Moment


@_event("lead.created.v1", subject="lead_id", person=("contact_id",))
class LeadCreated(Event, frozen=True, kw_only=True):
    """Somebody may well buy, and who they are is known: ai's `lead.qualified` with its contact."""

    lead_id: UUID
    """The qualification's."""
    contact_id: UUID
    identity_id: UUID
    conversation_id: UUID
    name: Personal
    company_id: UUID | None
    score: float
    """From 0 to 100."""
    confidence: float
    budget: Money | None
    """What they said they can spend."""
    qualified_at: Moment
