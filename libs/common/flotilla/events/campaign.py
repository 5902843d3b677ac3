"""Events of campaign: people who go through sequences, and people who want no more of them."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, Personal, event

_event = partial(event, owner="campaign")


class Enrolment(Event, frozen=True, kw_only=True):
    """One person's run through one version of a sequence: /v1/enrolments/{enrolment_id} explains it."""

    enrolment_id: UUID
    sequence_id: UUID
    version: int
    contact_id: UUID
    conversation_id: UUID | None
    """Null while it is not known which is theirs."""
    campaign_id: UUID | None = None
    """The campaign that enrolled them."""


@_event("sequence.start.requested.v1", subject="request_id", person=("contact_id",), wish=True)
class SequenceStartRequested(Event, frozen=True, kw_only=True):
    """A person shall be enrolled. Answered by `sequence.started` or `sequence.start.failed`.

    The enrolment has the id of the request.
    """

    request_id: UUID
    sequence_id: UUID
    contact_id: UUID
    conversation_id: UUID | None = None
    """Where they are written to; null: in their newest conversation."""
    name: Personal = None
    """For texts: `{{ name }}`."""


@_event("sequence.start.failed.v1", subject="request_id")
class SequenceStartFailed(Event, frozen=True, kw_only=True):
    """They were not enrolled; the reason says why."""

    request_id: UUID
    sequence_id: UUID
    contact_id: UUID
    reason: str
    """`unknown_sequence`, `unpublished`, `unsubscribed` or `enrolled` (already)."""


@_event("sequence.started.v1", subject="enrolment_id")
class SequenceStarted(Enrolment, frozen=True, kw_only=True):
    """The person was enrolled; the first step begins."""


@_event("sequence.step.due.v1", subject="enrolment_id")
class SequenceStepDue(Enrolment, frozen=True, kw_only=True):
    """A step's message is asked for now."""

    step: int
    """From 0."""
    variant: str | None
    """Which text of a step that has several."""
    message_id: UUID


@_event("sequence.step.sent.v1", subject="enrolment_id")
class SequenceStepSent(Enrolment, frozen=True, kw_only=True):
    """The channel took the message of a step."""

    step: int
    """From 0."""
    message_id: UUID


@_event("sequence.finished.v1", subject="enrolment_id")
class SequenceFinished(Enrolment, frozen=True, kw_only=True):
    """It came to its end."""


@_event("sequence.stopped.v1", subject="enrolment_id")
class SequenceStopped(Enrolment, frozen=True, kw_only=True):
    """It went no further; what was sent before stands."""

    step: int
    """The step it stopped at, from 0."""
    reason: str
    """`replied`, `unsubscribed`, `bounced`, `left_segment`, `stopped` by a person, `merged` or `deleted` where the
    contact was, `empty`, `unanswered` or `refused: <why>`."""


@_event("contact.unsubscribed.v1", subject="contact_id")
class ContactUnsubscribed(Event, frozen=True, kw_only=True):
    """The person wants no more messages that nobody wrote to them by hand."""

    contact_id: UUID
    reason: str
    """`replied` where they asked for it in a message, `link` by the link in one, `withdrawn` where they withdrew
    consent in crm, `requested` where somebody entered it."""
    unsubscribed_at: Moment


class Mail(Event, frozen=True, kw_only=True):
    """A message of a step, on whichever channel, and somebody's doing with it."""

    message_id: UUID
    enrolment_id: UUID
    sequence_id: UUID
    version: int
    step: int
    variant: str | None
    campaign_id: UUID | None
    contact_id: UUID
    occurred_at: Moment


@_event("mail.opened.v1", subject="message_id")
class MailOpened(Mail, frozen=True, kw_only=True):
    """It was opened; told once for the person, and once for programs."""

    automated: bool
    """Whether it was rather a program that fetches ahead: a scanner, a preview. A guess."""


@_event("mail.clicked.v1", subject="message_id")
class MailClicked(Mail, frozen=True, kw_only=True):
    """A link in it was followed; told once a link for the person, and once for programs."""

    automated: bool
    url: str
    """Where the link leads."""


@_event("mail.bounced.v1", subject="message_id")
class MailBounced(Mail, frozen=True, kw_only=True):
    """It reached nobody, and nothing will: nothing more is sent to this person."""

    reason: str | None


class Campaign(Event, frozen=True, kw_only=True):
    """The state of a campaign."""

    campaign_id: UUID
    name: str
    goal: str | None
    state: str
    """`draft`, `scheduled`, `running`, `paused` or `finished`."""
    segment_id: UUID | None
    """Its audience: who is in it when it starts; null: a list of its own."""
    sequence_id: UUID
    bulk: bool
    """Whether its sequence is one message."""
    people: int
    """How many are on its list."""
    starts_at: Moment | None
    started_at: Moment | None
    finished_at: Moment | None


@_event("campaign.created.v1", subject="campaign_id")
class CampaignCreated(Campaign, frozen=True, kw_only=True):
    """Somebody drafted it."""


@_event("campaign.started.v1", subject="campaign_id")
class CampaignStarted(Campaign, frozen=True, kw_only=True):
    """Its people are enrolled from here on, for the first time or again after a pause."""


@_event("campaign.paused.v1", subject="campaign_id")
class CampaignPaused(Campaign, frozen=True, kw_only=True):
    """Nobody is enrolled, and no step begins."""


@_event("campaign.finished.v1", subject="campaign_id")
class CampaignFinished(Campaign, frozen=True, kw_only=True):
    """Everybody was enrolled or refused, and has come to their end."""


class ExperimentArm(msgspec.Struct, frozen=True, kw_only=True):
    """One of the texts that were compared."""

    variant: str
    sent: int
    """How many got it long enough ago."""
    converted: int
    """How many of them did what is counted."""


@_event("experiment.decided.v1", subject="experiment_id")
class ExperimentDecided(Event, frozen=True, kw_only=True):
    """Of several texts of a step one does best, and every message from here on has it; or no difference was shown."""

    experiment_id: UUID
    sequence_id: UUID
    version: int
    step: int
    metric: str
    """`replied`, `clicked` or `opened`."""
    confidence: float
    winner: str | None
    """`a`, `b`, …; null where no difference was shown."""
    p_value: float
    """Of the closest comparison of the best with another, before it is shared out over looks and comparisons."""
    arms: list[ExperimentArm]
    decided_at: Moment


@_event("consent.rule.changed.v1", subject="organization_id")
class ConsentRuleChanged(Event, frozen=True, kw_only=True):
    """An organization writes to people unasked by another rule from now on."""

    organization_id: UUID
    region: str
    """By whose law: `eu`, `uk`, `ca` or `us`."""
    strict: bool
    """Only with something on record, also where the law lets one write unasked."""
    known: bool
    """Whoever has a conversation with it counts as a customer of its own, where the law knows those."""
    reason: str | None
    """Why they do, and nobody's name."""
