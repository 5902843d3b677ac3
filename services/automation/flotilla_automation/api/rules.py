"""/v1/rules."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.bus.connection import BROKER_ERRORS
from flotilla.http import (
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnavailableError,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    set_etag,
)
from flotilla.http.sorting import SORT, ByTime, Several
from flotilla.store.order import BY_TIME, Integer, Order, both, by_name
from pydantic import BaseModel

from flotilla_automation import commands
from flotilla_automation.api.schemas import RuleIn, RuleOut, RulePatch, RunOut
from flotilla_automation.domain.actions import unsaid
from flotilla_automation.domain.rules import InvalidRuleError, Plan, Rule, RuleState, read_plan
from flotilla_automation.domain.runs import RunState
from flotilla_automation.own import own
from flotilla_automation.steps import signing_secret
from flotilla_automation.store import rules as store
from flotilla_automation.store import runs

routes = Routes("/v1/rules", tag="rules")
Sorts = Annotated[
    Literal["position", "-position", "-created_at", "created_at", "name", "-name"], Query(description=SORT)
]
ORDERS = {
    **both("position", Order(("r.position", "r.id"), (Integer, UUID))),
    **both("created_at", Order(("r.id",), (UUID,))),
    **by_name("r.name", "r.id"),
}


class SigningSecretOut(BaseModel):
    """What webhooks are signed with: Standard Webhooks, `whsec_…`."""

    secret: str


@routes.get("", permission="rules:read")
async def list_rules(tx: Tx, who: Who, query: PageQuery, sort: Sorts = "position") -> Page[RuleOut]:
    """Rules in the order in which they run, or in that of `sort`."""
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([RuleOut.of(rule) for rule in found], sort, order)


@routes.post("", permission="rules:write", status_code=201, feature="automation")
async def create_rule(wanted: RuleIn, work: Work, response: Response) -> RuleOut:
    """Make a rule. One that is enabled hears every event from before this is answered."""
    values = _values(wanted.model_dump())
    plan = checked(wanted.trigger, wanted.condition, wanted.actions, wanted.schedule)
    await _bind(work.app, plan, values)
    tx = await work.begin()
    rule = await commands.create(tx, work.who.org, values)
    response.headers["Location"] = f"/v1/rules/{rule.id}"
    return _shown(rule, response)


@routes.get("/signing-secret", permission="rules:write")
async def read_signing_secret(app: CurrentApp, who: Who) -> SigningSecretOut:
    """What calls of this organization's webhooks are signed with."""
    return SigningSecretOut(secret=signing_secret(app.keyring, who.org))


@routes.get("/{rule_id}", permission="rules:read")
async def read_rule(rule_id: UUID, tx: Tx, who: Who, response: Response) -> RuleOut:
    """One rule."""
    return _shown(_there(await store.read(tx, who.org, rule_id)), response)


@routes.patch("/{rule_id}", permission="rules:write")
async def change_rule(
    rule_id: UUID, wanted: RulePatch, request: Request, work: Work, response: Response
) -> RuleOut:
    """Change, enable or disable a rule. Runs that have begun end as the version says that they began with."""
    org = work.who.org
    values = _values(wanted.model_dump(include=wanted.model_fields_set))
    async with work.app.db.transaction(work.who.orgs) as reading:
        before = _there(await store.read(reading, org, rule_id))
    await _bind(work.app, _merged(before, values), {"state": before.state, **values})
    tx = await work.begin()
    rule = _there(await store.read(tx, org, rule_id, lock=True))
    check_if_match(request, rule.sequence)
    _merged(rule, values)  # somebody else may have changed its trigger meanwhile
    return _shown(await commands.change(tx, org, rule, values), response)


@routes.delete("/{rule_id}", permission="rules:write", status_code=204)
async def delete_rule(rule_id: UUID, request: Request, tx: Tx, who: Who) -> Response:
    """Delete a rule. Its runs stay readable; those that have begun end."""
    rule = _there(await store.read(tx, who.org, rule_id, lock=True))
    check_if_match(request, rule.sequence)
    await commands.delete(tx, who.org, rule)
    return Response(status_code=204)


@routes.get("/{rule_id}/runs", permission="rules:read")
async def list_runs(
    rule_id: UUID,
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Several[RunState] = None,
    sort: ByTime = "-created_at",
) -> Page[RunOut]:
    """Each time that an event triggered the rule, or that one comparison alone kept it from that; newest first."""
    if await store.read(tx, who.org, rule_id) is None:
        raise NotFoundError("There is no rule with this id.")
    order, filters = BY_TIME[sort], {"rule_id": rule_id, "state": state}
    found = await runs.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([RunOut.of(run) for run in found], sort, order)


def checked(
    trigger: str,
    condition: dict[str, Any] | None,
    actions: list[dict[str, Any]],
    schedule: dict[str, Any] | None,
    *,
    newly: bool = True,
) -> Plan:
    """The plan; a 422 problem that points at each mistake. `newly`: the actions are what somebody writes now, and say
    what their messages are for."""
    try:
        plan = read_plan(trigger, condition, actions, schedule)
    except InvalidRuleError as error:
        raise UnprocessableError("Correct the values named in `errors`.", errors=error.mistakes) from None
    if newly and (mistakes := unsaid(actions)):
        raise UnprocessableError("Say what the messages are for.", errors=mistakes)
    return plan


def _merged(rule: Rule, values: Mapping[str, Any]) -> Plan:
    trigger, condition, actions, schedule = (
        values.get(name, getattr(rule, name)) for name in ("trigger", "condition", "actions", "schedule")
    )
    return checked(trigger, condition, actions, schedule, newly="actions" in values)


def _values(written: dict[str, Any]) -> dict[str, Any]:
    """As the domain names them: `enabled` is a state."""
    if "enabled" in written:
        enabled = written.pop("enabled")
        written["state"] = RuleState.ENABLED if enabled else RuleState.DISABLED
    return written


async def _bind(app: CurrentApp, plan: Plan, values: Mapping[str, Any]) -> None:
    """Before the commit: no event shall be missed after it."""
    if values.get("state") is not RuleState.ENABLED:
        return
    try:
        await own(app).bound.bind(plan.wants)
    except BROKER_ERRORS:
        raise UnavailableError(
            "The broker is away; repeat the request.", headers={"Retry-After": "2"}
        ) from None


def _there(rule: Rule | None) -> Rule:
    if rule is None or rule.state is RuleState.DELETED:
        raise NotFoundError("There is no rule with this id.")
    return rule


def _shown(rule: Rule, response: Response) -> RuleOut:
    set_etag(response, rule.sequence)
    return RuleOut.of(rule)
