"""Events about what is known of a person or of an organization: found, erased, brought together.

Auth asks all services at once; each answers for itself, once a request, with one of two facts that any service may
tell. Persons are named by ids alone.
"""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="auth")


@event("contact.resolve.requested.v1", owner="crm", subject="request_id", wish=True)
class ContactResolveRequested(Event, frozen=True, kw_only=True):
    """By which ids is a contact known? Answered by `contact.resolved` or `contact.resolve.failed`."""

    request_id: UUID
    contact_id: UUID


@event("contact.resolved.v1", owner="crm", subject="request_id")
class ContactResolved(Event, frozen=True, kw_only=True):
    """All ids by which anything may be known of the person, those of merged contacts too."""

    request_id: UUID
    contact_ids: list[UUID]
    identity_ids: list[UUID]
    conversation_ids: tuple[UUID, ...] = ()
    """In which they wrote or were written to."""


@event("contact.resolve.failed.v1", owner="crm", subject="request_id")
class ContactResolveFailed(Event, frozen=True, kw_only=True):
    """There is and was no such contact."""

    request_id: UUID
    reason: str


class Subject(Event, frozen=True, kw_only=True):
    """Whom a request is about, by every id that services know them by."""

    request_id: UUID
    kind: str
    """`person`, or `organization` for all there is of it; the ids are empty then."""
    contact_ids: list[UUID]
    identity_ids: list[UUID]
    user_ids: list[UUID]
    conversation_ids: tuple[UUID, ...] = ()
    """Of theirs: what others noted about one of these may speak of them."""
    services: list[str]
    """Who has not answered yet; the others have nothing to do."""
    attempt: int
    """From 1; the answer is the same however often it was asked for."""
    asked_at: Moment
    """When it was wished for first: what came before is meant. A person may write again."""


class Answer(Event, frozen=True, kw_only=True):
    """One service's answer."""

    request_id: UUID
    service: str


@_event("erasure.requested.v1", subject="request_id")
class ErasureRequested(Subject, frozen=True, kw_only=True):
    """What is known of a person or an organization shall be forgotten. Each service answers by `erasure.completed`
    or `erasure.failed`."""


@_event("erasure.completed.v1", subject="request_id", shared=True)
class ErasureCompleted(Answer, frozen=True, kw_only=True):
    """The service knows nothing of them any more, and what comes late will not bring it back."""

    erased: dict[str, int]
    """What went: names of tables, collections, indexes and folders to numbers of things."""


@_event("erasure.failed.v1", subject="request_id", shared=True)
class ErasureFailed(Answer, frozen=True, kw_only=True):
    """Something stood against it; it will be asked for again."""

    reason: str


@_event("export.requested.v1", subject="request_id")
class ExportRequested(Subject, frozen=True, kw_only=True):
    """What is known of a person or an organization shall be written to the file store. Each service answers by
    `export.completed` or `export.failed`."""


@_event("export.completed.v1", subject="request_id", shared=True)
class ExportCompleted(Answer, frozen=True, kw_only=True):
    """The service's part stands in the file store."""

    path: str
    """`<organization>/exports/<request>/<service>.jsonl`: a line a thing, `{"table": …, "row": {…}}`."""
    things: int
    size: int
    """In bytes."""
    sha256: str
    """Of the file, lower-case hex."""


@_event("export.failed.v1", subject="request_id", shared=True)
class ExportFailed(Answer, frozen=True, kw_only=True):
    """Something stood against it; it will be asked for again."""

    reason: str


@_event("feature_flag.changed.v1", subject="flag_id")
class FeatureFlagChanged(Event, frozen=True, kw_only=True):
    """A feature is on or off from now on, for an organization or, where it is the platform's own, for all."""

    flag_id: UUID
    key: str
    """What code asks for: `quick-replies`."""
    environment: str
    """`development`, `staging`, `production`, or `any`; the nearer says."""
    enabled: bool
    percentage: int
    """Whom it is on for, of a hundred; the same ones each time, and they stay when it grows."""
    description: str
    state: str
    """`active` or `deleted`."""


@_event("retention.changed.v1", subject="organization_id")
class RetentionChanged(Event, frozen=True, kw_only=True):
    """An organization keeps kinds of data for other periods from now on, a legal hold was set or ended, or its plan
    bounds what it keeps otherwise."""

    organization_id: UUID
    periods: dict[str, int | None]
    """Kind to days, of what it has decided itself; null: as long as it is there."""
    held: list[str]
    """Kinds of which nothing goes by its age, or `all`."""
    reason: str | None
    """Of the hold: a file number, and nobody's name."""
    bound_days: int | None = None
    """What the plan has it keep at most, of kinds that plans bound; the smaller counts. Null: no bound."""
    bound_from: Moment | None = None
    """From when on; nothing goes by the bound before. Owners were told when this was."""


@_event("retention.swept.v1", subject="sweep_id", shared=True)
class RetentionSwept(Event, frozen=True, kw_only=True):
    """A service removed what was older than the organization keeps it."""

    sweep_id: UUID
    service: str
    removed: dict[str, int]
    """Kind to number of things."""
