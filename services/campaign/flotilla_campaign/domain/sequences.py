"""Sequences: steps to messages, waits and branches, published version by version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec

from flotilla_campaign.domain.experiments import NAMES
from flotilla_campaign.domain.templates import LIMIT, is_sound
from flotilla_campaign.domain.windows import Window

MOST_STEPS: Final = 50
UNITS: Final = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}
LONGEST_WAIT: Final = timedelta(days=365)

FieldName = Annotated[str, msgspec.Meta(pattern=r"^[a-z_][a-z0-9_]{0,49}$")]
Target = Annotated[int, msgspec.Meta(ge=0, le=MOST_STEPS)]


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides which text of a step does best."""

    metric: Literal["replied", "clicked", "opened"] = "replied"
    least: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 100
    """Messages of each text at the first look."""
    confidence: Annotated[float, msgspec.Meta(ge=0.8, le=0.999)] = 0.95


Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LIMIT)]


class Send(msgspec.Struct, frozen=True, tag="send", tag_field="type", forbid_unknown_fields=True):
    """A message to the person's conversation, as soon as the window is open."""

    text: Text
    window: Window | None = None
    track: bool = False
    """Whether its links are led through Flotilla, and mail tells when it is opened."""
    variants: Annotated[tuple[Text, ...], msgspec.Meta(max_length=4)] = ()
    """Further texts to try beside `text`, which is `a`: `b`, `c`, …"""
    experiment: Experiment | None = None

    def text_of(self, variant: str | None) -> str:
        """What it says; without a variant, `text`."""
        return (self.text, *self.variants)[NAMES.index(variant) if variant else 0]


class Wait(msgspec.Struct, frozen=True, tag="wait", tag_field="type", forbid_unknown_fields=True):
    """Time passes."""

    amount: Annotated[int, msgspec.Meta(ge=1, le=525_600)]
    unit: Literal["minutes", "hours", "days"]

    @property
    def length(self) -> timedelta:
        """How much."""
        return UNITS[self.unit] * self.amount


class Branch(msgspec.Struct, frozen=True, tag="branch", tag_field="type", forbid_unknown_fields=True):
    """On to one of two later steps; the number of steps stands for the end."""

    on: Literal["replied", "opened", "clicked", "field"]
    then: Target
    otherwise: Target
    field: FieldName | None = None
    equals: Annotated[str, msgspec.Meta(max_length=500)] | None = None


Step = Send | Wait | Branch
KINDS: Final[dict[type[Step], str]] = {Send: "send", Wait: "wait", Branch: "branch"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one version says."""

    steps: tuple[Step, ...]
    stop_on_reply: bool = True


class InvalidSequenceError(ValueError):
    """Steps that can't be taken; `mistakes` points at each."""

    def __init__(self, mistakes: list[dict[str, str]]) -> None:
        super().__init__("invalid steps")
        self.mistakes = mistakes


class SequenceState(StrEnum):
    """Whether people can be enrolled."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True)
class SequenceDraft:
    """A sequence as it is being written; `version` is the last one published, 0 before the first."""

    id: UUID
    sequence: int = 1
    name: str
    state: SequenceState = SequenceState.ACTIVE
    steps: list[dict[str, Any]]
    stop_on_reply: bool = True
    version: int = 0
    segment_id: UUID | None = None
    """Who enters this segment of crm is enrolled."""
    is_bulk: bool = False
    """Whether it is the one message of a campaign, and stands in no list."""
    leaves_with_segment: bool = False
    """Whether who leaves it goes no further."""
    created_at: datetime
    updated_at: datetime


def read_steps(written: Sequence[Any]) -> tuple[Step, ...]:
    """The steps; InvalidSequenceError with all mistakes where some can't be taken."""
    mistakes: list[dict[str, str]] = []
    steps: list[Step] = []
    for place, each in enumerate(written):
        try:
            step: Step = msgspec.convert(each, Send | Wait | Branch)
        except msgspec.ValidationError as error:
            words, _, path = str(error).partition(" - at `$")
            mistakes.append(_mistake(place, words, path.rstrip("`").replace(".", "/")))
            continue
        mistakes += [_mistake(place, words) for words in _unfit(step, place, len(written))]
        steps.append(step)
    if not 0 < len(written) <= MOST_STEPS:
        mistakes.append({"pointer": "/steps", "detail": f"Write 1 to {MOST_STEPS} steps."})
    if mistakes:
        raise InvalidSequenceError(mistakes)
    return tuple(steps)


def _unfit(step: Step, place: int, count: int) -> Iterator[str]:
    if isinstance(step, Send):
        if any(not text.strip() or not is_sound(text) for text in (step.text, *step.variants)):
            yield "Write a text; a place is written {{ field }} or {{ field | words where it is empty }}."
        if step.experiment is not None and not step.variants:
            yield "An experiment has `variants` to compare."
        if not step.track and step.variants and step.experiment and step.experiment.metric != "replied":
            yield "Opens and clicks are counted where the step is tracked: set `track`."
        if step.window is not None and step.window.opens >= step.window.closes:
            yield "The window closes before it opens."
    elif isinstance(step, Wait):
        if step.length > LONGEST_WAIT:
            yield "A wait is a year at most."
    else:
        # Only forward: so every sequence ends, and no step is taken twice.
        if any(not place < target <= count for target in (step.then, step.otherwise)):
            yield f"A branch leads to a later step, or to {count}, the end."
        if (step.on == "field") != (step.field is not None) or (step.field is None) != (step.equals is None):
            yield "A branch on a field names `field` and `equals`, the others neither."


def _mistake(place: int, words: str, path: str = "") -> dict[str, str]:
    return {"pointer": f"/steps/{place}{path}", "detail": words}
