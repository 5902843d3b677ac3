"""/v1/counterparties/{id}/onboardings: deals that wait until it is decided whether to deal with a counterparty."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from flotilla.http import ConflictError, NotFoundError, Page, PageQuery, Routes, Tx, Who, Work
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row
from pydantic import AwareDatetime, Field

from flotilla_kyb import sagas
from flotilla_kyb.api.values import there
from flotilla_kyb.deciding import decide
from flotilla_kyb.store import onboardings as store

onboardings = Routes("/v1/counterparties/{counterparty_id}/onboardings", tag="counterparties")


class OnboardingIn(Written):
    """Which deal waits."""

    deal_id: UUID


class DecisionIn(Written):
    """What a person decides, and why."""

    decision: Literal["cleared", "refused"]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class OnboardingOut(Shown):
    """A deal and the decision that it waits for; `/v1/sagas/kyb/{saga_id}` shows it step by step."""

    id: UUID
    counterparty_id: UUID
    deal_id: UUID
    saga_id: UUID
    state: Literal["waiting", "cleared", "refused"]
    reason: str | None
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    created_at: AwareDatetime


@onboardings.get("", permission="counterparties:read")
async def list_onboardings(
    counterparty_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[OnboardingOut]:
    """The newest first, or as `sort` says."""
    await there(tx, who.org, counterparty_id)
    order = BY_TIME[sort]
    after = query.place(sort, order)
    rows = await store.listing(tx, who.org, counterparty_id, order, after, query.limit + 1)
    return query.page([_shown(row) for row in rows], sort, order)


@onboardings.post("", permission="counterparties:write", status_code=202, feature="kyb")
async def begin_onboarding(
    counterparty_id: UUID, body: OnboardingIn, work: Work, response: Response
) -> OnboardingOut:
    """Hold the deal, ask all registers, decide; a deal that waits for this counterparty already goes on waiting."""
    tx, org = await work.begin(), work.who.org
    counterparty = await there(tx, org, counterparty_id, lock=True)
    context = sagas.Onboarding(
        onboarding_id=tx.app.new_id(),
        counterparty_id=counterparty.id,
        deal_id=body.deal_id,
        hold_id=tx.app.new_id(),
        reason=f"{counterparty.name} is being checked.",
    )
    saga_id = await sagas.onboarding.start(tx, org, counterparty.id, context, work.cause)
    row = await tx.fetchrow(store.INSERT, org, context.onboarding_id, counterparty.id, body.deal_id, saga_id)
    if row is None:
        raise ConflictError("This deal waits for the decision about this counterparty already.")
    response.headers["Location"] = f"/v1/counterparties/{counterparty.id}/onboardings/{row['id']}"
    return _shown(row)


@onboardings.get("/{onboarding_id}", permission="counterparties:read")
async def read_onboarding(counterparty_id: UUID, onboarding_id: UUID, tx: Tx, who: Who) -> OnboardingOut:
    """One of them."""
    return _shown(_there(await tx.fetchrow(store.READ, who.org, counterparty_id, onboarding_id)))


@onboardings.post("/{onboarding_id}/decision", permission="counterparties:write")
async def decide_onboarding(
    counterparty_id: UUID, onboarding_id: UUID, body: DecisionIn, work: Work
) -> OnboardingOut:
    """Decide what the checks could not; a decision is made once."""
    tx, who = await work.begin(), work.who
    await there(tx, who.org, counterparty_id, lock=True)
    row = _there(await tx.fetchrow(store.READ, who.org, counterparty_id, onboarding_id))
    if row["state"] == "waiting" and row["request_id"] is None:
        raise ConflictError("Its deal is not held yet; try again in a moment.")
    decided = await decide(tx, who.org, row, body.decision, body.reason, by=who.user_id, cause=work.cause)
    if decided is None:
        raise ConflictError(f"It was decided before: {row['state']}.")
    return _shown(decided)


def _there(row: Row | None) -> Row:
    if row is None:
        raise NotFoundError("There is no onboarding with this id.")
    return row


def _shown(row: Row) -> OnboardingOut:
    fields = {name: row[name] for name in OnboardingOut.model_fields}
    return OnboardingOut(**fields)
