"""Sales as a fold over events: what each deal, lead and move adds to which number. docs/metrics.md has the definitions.

The result depends on the set of events alone, not on their order: what a deal or lead contributes follows from its
newest state, and is taken back when a newer one becomes known; a move contributes by itself, for its event holds all
of it. Durations are whole milliseconds, amounts the currency's smallest unit; days are UTC.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.events import leads, pipeline
from flotilla.events.base import CONTRACTS
from flotilla.events.crm import LeadCreated

from flotilla_analytics.domain.facts import Fact
from flotilla_analytics.domain.histogram import COUNT, bucket_of
from flotilla_analytics.domain.sales_facts import NONE, Cell, Deal, Key, Lead, SalesMetric, Stage, day_of

FIRST_SOURCE: Final = "conversation"
"""Of a lead that has just come to be: `lead.created` is told of conversations only."""


@dataclass
class Fold:
    """The sums of a stretch of events, and what is known after it."""

    deals: dict[Key, Deal]
    leads: dict[Key, Lead]
    stages: dict[Key, Stage]
    deltas: dict[Cell, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    """Cell → [count, milliseconds, amount] to be added."""

    def take(self, facts: Iterable[Fact]) -> None:
        """Fold these events in."""
        for fact in facts:
            match fact.data:
                case pipeline.Deal():
                    self._deal(fact)
                case LeadCreated() | leads.Lead():
                    self._lead(fact)
                case pipeline.Stage():
                    self._stage(fact)

    def _deal(self, fact: Fact) -> None:
        data: pipeline.Deal = fact.data
        if isinstance(data, pipeline.DealCreated):
            self._entered(fact.org, data, NONE, data.created_at, None)
        elif isinstance(data, pipeline.DealStageChanged):
            took = max(0, data.seconds_in_stage) * 1000
            self._entered(fact.org, data, data.from_stage_id, data.entered_stage_at, took)
        key = (fact.org, data.deal_id)
        known = self.deals.get(key)
        told = {data.stage_id}
        if isinstance(data, pipeline.DealStageChanged):
            told.add(data.from_stage_id)
        reached = told if known is None else known.reached | told
        if known is None or known.sequence < fact.sequence:
            changed = _deal(data, fact.sequence, frozenset(reached))
        else:
            changed = replace(known, reached=frozenset(reached))
        if changed != known:
            self._contribute(known.cells(fact.org) if known else (), -1)
            self._contribute(changed.cells(fact.org), 1)
            self.deals[key] = changed

    def _entered(self, org: UUID, data: pipeline.Deal, left: UUID, at: datetime, took: int | None) -> None:
        cell = Cell(org, SalesMetric.MOVES, day_of(at), data.pipeline_id, data.owner_id or NONE, left)
        to = data.to_stage_id if isinstance(data, pipeline.DealStageChanged) else data.stage_id
        bucket = COUNT if took is None else bucket_of(took)
        self._add(cell._replace(to_stage_id=to, source=data.source, bucket=bucket), 1, took or 0, 0)

    def _lead(self, fact: Fact) -> None:
        data: LeadCreated | leads.Lead = fact.data
        key = (fact.org, data.lead_id)
        known = self.leads.get(key)
        if known is not None and known.sequence >= fact.sequence:
            return
        self._contribute(known.cells(fact.org) if known else (), -1)
        self.leads[key] = _lead(data, fact.sequence)
        self._contribute(self.leads[key].cells(fact.org), 1)

    def _stage(self, fact: Fact) -> None:
        data: pipeline.Stage = fact.data
        key = (fact.org, data.stage_id)
        known = self.stages.get(key)
        if known is None or known.sequence < fact.sequence:
            self.stages[key] = Stage(
                fact.sequence, data.pipeline_id, data.name, data.kind, data.position, data.archived
            )

    def _contribute(self, cells: Iterable[tuple[Cell, int, int]], count: int) -> None:
        for cell, milliseconds, amount in cells:
            self._add(cell, count, count * milliseconds, count * amount)

    def _add(self, cell: Cell, count: int, milliseconds: int, amount: int) -> None:
        delta = self.deltas[cell]
        delta[0] += count
        delta[1] += milliseconds
        delta[2] += amount


def keys_of(facts: Iterable[Fact]) -> tuple[set[Key], set[Key], set[Key]]:
    """The deals, leads and stages that a fold of these events must know."""
    found: tuple[set[Key], set[Key], set[Key]] = (set(), set(), set())
    for fact in facts:
        match fact.data:
            case pipeline.Deal(deal_id=deal_id):
                found[0].add((fact.org, deal_id))
            case LeadCreated(lead_id=lead_id) | leads.Lead(lead_id=lead_id):
                found[1].add((fact.org, lead_id))
            case pipeline.Stage(stage_id=stage_id):
                found[2].add((fact.org, stage_id))
    return found


def _deal(data: pipeline.Deal, sequence: int, reached: frozenset[UUID]) -> Deal:
    return Deal(
        sequence=sequence,
        pipeline_id=data.pipeline_id,
        owner_id=data.owner_id,
        source=data.source,
        state=data.state,
        amount_minor=data.value.amount_minor if data.value else None,
        currency=data.value.currency if data.value else None,
        loss_reason=data.loss_reason,
        created_at=data.created_at,
        ended_at=data.ended_at,
        reached=reached,
    )


def _lead(data: LeadCreated | leads.Lead, sequence: int) -> Lead:
    if isinstance(data, LeadCreated):
        return Lead(sequence, None, FIRST_SOURCE, "new", data.qualified_at, None)
    return Lead(sequence, data.owner_id, data.source, data.status, data.qualified_at, data.converted_at)


TYPES: Final = tuple(
    contract.type
    for contract in CONTRACTS.values()
    if issubclass(contract.data, pipeline.Deal | pipeline.Stage | leads.Lead | LeadCreated)
)
"""The events that these numbers are made of: every one that tells a state of a deal, a lead or a stage."""
