"""Histories of sales for the tests of the fold, counted in the plainest way there is: the whole at once."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.bus.declare import RawEvent
from flotilla.events import leads, pipeline
from flotilla.events.base import Event, Money
from flotilla.events.crm import LeadCreated
from flotilla.ids import new_id
from flotilla_analytics.domain.histogram import bucket_of
from hypothesis import strategies as st

from services.analytics.tests.conftest import Events

START = datetime(2026, 1, 30, 23, 50, tzinfo=UTC)
NIL = UUID(int=0)
PIPELINE = UUID("01890000-0000-7000-8000-000000000001")
STAGES = [UUID(int=PIPELINE.int + 1 + place) for place in range(5)]
"""Three open ones, won and lost."""
KINDS = ("open", "open", "open", "won", "lost")
OWNERS: list[UUID | None] = [None, *(UUID(int=PIPELINE.int + 10 + place) for place in range(2))]
LOSSES = ("price", "timing")

_moments = st.integers(-50_000, 4_000_000_000).map(lambda ms: START + timedelta(milliseconds=ms))
_values = st.none() | st.tuples(st.integers(0, 10**12), st.sampled_from(["EUR", "USD"]))

happenings: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(
        st.just("deal"),
        st.integers(0, 2),
        st.sampled_from(["updated", "moved", "won", "lost", "closed"]),
        st.integers(0, 4),
        st.sampled_from(OWNERS),
        _values,
        _moments,
    ),
    st.tuples(
        st.just("lead"),
        st.integers(0, 2),
        st.sampled_from(["new", "working", "unqualified", "converted"]),
        st.sampled_from(OWNERS),
        _moments,
    ),
)
"""What may happen to three deals and three leads; a state may follow any other."""


def deal(kind: type[pipeline.Deal], **fields: Any) -> pipeline.Deal:
    """A state of a deal."""
    told: dict[str, Any] = {
        "deal_id": new_id(),
        "pipeline_id": PIPELINE,
        "stage_id": STAGES[0],
        "title": "200 mugs",
        "state": "open",
        "value": None,
        "probability": 20,
        "contact_id": None,
        "company_id": None,
        "conversation_id": None,
        "owner_id": None,
        "expected_close_on": None,
        "source": "manual",
        "loss_reason": None,
        "entered_stage_at": START,
        "created_at": START,
        "ended_at": None,
    }
    return kind(**{**told, **fields})


def lead(kind: type[leads.Lead], **fields: Any) -> leads.Lead:
    """A state of a lead."""
    told: dict[str, Any] = {
        "lead_id": new_id(),
        "contact_id": new_id(),
        "conversation_id": None,
        "company_id": None,
        "owner_id": None,
        "status": "new",
        "source": "conversation",
        "score": 50,
        "deal_id": None,
        "qualified_at": START,
        "converted_at": None,
    }
    return kind(**{**told, **fields})


def lead_created(lead_id: UUID) -> LeadCreated:
    """A lead as it begins."""
    return LeadCreated(
        lead_id=lead_id,
        contact_id=new_id(),
        identity_id=new_id(),
        conversation_id=new_id(),
        name="Ada",
        company_id=None,
        score=80.0,
        confidence=0.9,
        budget=None,
        qualified_at=START,
    )


def stages() -> list[pipeline.StageCreated]:
    """The pipeline's."""
    return [
        pipeline.StageCreated(
            stage_id=stage,
            pipeline_id=PIPELINE,
            name=f"Stage {place}",
            kind=KINDS[place - 1],
            position=place,
            probability=0,
            required_fields=[],
            archived=False,
        )
        for place, stage in enumerate(STAGES, 1)
    ]


@dataclass
class _Subject:
    id: UUID
    sequence: int = 0
    newest: Any = None
    stood: set[UUID] = field(default_factory=set)


class SalesHistory:
    """The events of one organization, and what its numbers must be: (metric, …) → [count, ms, amount]."""

    def __init__(self, events: Events, org: UUID, told: list[tuple[Any, ...]]) -> None:
        self.raw: list[RawEvent] = []
        self.expected: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._events = events
        self._org = org
        self._subjects: dict[tuple[str, int], _Subject] = {}
        for stage in stages():
            self._tell(stage, 1)
        for kind, number, *rest in told:
            getattr(self, f"_{kind}")(number, *rest)
        for (kind, _), subject in self._subjects.items():
            getattr(self, f"_count_{kind}")(subject)

    @property
    def counted(self) -> dict[tuple[Any, ...], tuple[int, ...]]:
        """What is expected, without what is nothing."""
        return {cell: tuple(sums) for cell, sums in self.expected.items() if any(sums)}

    def _deal(
        self,
        number: int,
        kind: str,
        place: int,
        owner: UUID | None,
        value: tuple[int, str] | None,
        at: datetime,
    ) -> None:
        subject = self._subjects.get(("deal", number))
        if subject is None:
            subject = self._subjects["deal", number] = _Subject(new_id())
            created = deal(pipeline.DealCreated, deal_id=subject.id, qualification_id=None)
            self._next(subject, created)
            self._add("moves", START.date(), NIL, NIL, STAGES[0])
        left = subject.newest.stage_id
        fields: dict[str, Any] = {
            "deal_id": subject.id,
            "stage_id": STAGES[place],
            "owner_id": owner,
            "value": Money(amount_minor=value[0], currency=value[1]) if value else None,
            "state": kind if kind in ("won", "lost", "closed") else "open",
            "ended_at": at if kind in ("won", "lost", "closed") else None,
            "loss_reason": LOSSES[place % 2] if kind == "lost" else None,
            "entered_stage_at": at,
        }
        match kind:
            case "moved":
                more = {"from_stage_id": left, "to_stage_id": STAGES[place], "reason": None}
                self._next(
                    subject, deal(pipeline.DealStageChanged, **fields, **more, seconds_in_stage=place * 100)
                )
                took = place * 100_000
                self._add(
                    "moves", at.date(), owner or NIL, left, STAGES[place], bucket=bucket_of(took), ms=took
                )
            case "won" | "closed":
                type_ = pipeline.DealWon if kind == "won" else pipeline.DealClosed
                self._next(subject, deal(type_, **fields, saga_id=new_id()))
            case "lost":
                self._next(subject, deal(pipeline.DealLost, **fields))
            case _:
                self._next(subject, deal(pipeline.DealUpdated, **fields))

    def _lead(self, number: int, status: str, owner: UUID | None, at: datetime) -> None:
        subject = self._subjects.get(("lead", number))
        if subject is None:
            subject = self._subjects["lead", number] = _Subject(new_id())
            self._next(subject, lead_created(subject.id))
        converted = at if status == "converted" else None
        fields = {"lead_id": subject.id, "status": status, "owner_id": owner, "converted_at": converted}
        kind = leads.LeadConverted if converted else leads.LeadUpdated
        self._next(subject, lead(kind, **fields))

    def _count_deal(self, subject: _Subject) -> None:
        state = subject.newest
        owner, value = state.owner_id or NIL, state.value
        amount, currency = (value.amount_minor, value.currency) if value else (0, "")
        outcome = "won" if state.state in ("won", "closed") else state.state
        self._add("deals", START.date(), owner, part=outcome, currency=currency, amount=amount)
        for stage in subject.stood:
            self._add("stages_reached", START.date(), owner, stage)
        if outcome in ("won", "lost"):
            ms = max(0, round((state.ended_at - START).total_seconds() * 1000))
            part = state.loss_reason if outcome == "lost" else ""
            where: dict[str, Any] = {"part": part, "currency": currency, "bucket": bucket_of(ms)}
            self._add(f"deals_{outcome}", state.ended_at.date(), owner, **where, ms=ms, amount=amount)

    def _count_lead(self, subject: _Subject) -> None:
        state = subject.newest
        if isinstance(state, LeadCreated):
            owner, outcome = NIL, "open"
        else:
            owner = state.owner_id or NIL
            outcome = state.status if state.status in ("converted", "unqualified") else "open"
        self._add("leads", START.date(), owner, part=outcome, pipeline_id=NIL, source="conversation")
        if outcome == "converted":
            ms = max(0, round((state.converted_at - START).total_seconds() * 1000))
            where: dict[str, Any] = {"pipeline_id": NIL, "source": "conversation", "bucket": bucket_of(ms)}
            self._add("leads_converted", state.converted_at.date(), owner, **where, ms=ms)

    def _next(self, subject: _Subject, data: Any) -> None:
        subject.sequence += 1
        subject.newest = data
        if isinstance(data, pipeline.Deal):
            subject.stood.add(data.stage_id)
        self._tell(data, subject.sequence)

    def _tell(self, data: Event, sequence: int) -> None:
        self.raw.append(self._events.raw(data, self._org, sequence=sequence))

    def _add(
        self,
        metric: str,
        day: date,
        owner: UUID,
        stage: UUID = NIL,
        to: UUID = NIL,
        *,
        part: str = "",
        currency: str = "",
        bucket: int = -1,
        pipeline_id: UUID = PIPELINE,
        source: str = "manual",
        ms: int = 0,
        amount: int = 0,
    ) -> None:
        cell = (metric, day, pipeline_id, owner, stage, to, source, part, currency, bucket)
        for place, value in enumerate((1, ms, amount)):
            self.expected[cell][place] += value
