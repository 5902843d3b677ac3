"""/v1/triggers: what a rule may wait for, and look at."""

import inspect

from flotilla.events import CONTRACTS
from flotilla.http import NotFoundError, Routes

from flotilla_automation.api.schemas import FieldOut, TriggerOut
from flotilla_automation.domain.conditions import operators_of
from flotilla_automation.domain.fields import fields_of, triggers

routes = Routes("/v1/triggers", tag="rules")


@routes.get("", permission="rules:read")
async def list_triggers() -> list[str]:
    """The types of events that a rule may wait for."""
    return triggers()


@routes.get("/{type}", permission="rules:read")
async def read_trigger(type: str) -> TriggerOut:  # noqa: A002 - the name in the path
    """The fields of a type of event, and how each may be compared."""
    if type not in triggers():
        raise NotFoundError("No rule may wait for this: see GET /v1/triggers.")
    fields = [
        FieldOut(
            path=field.path,
            kind=field.kind,
            personal=field.personal,
            operators=sorted(operators_of(field)),
        )
        for field in fields_of(type).values()
        if operators_of(field)
    ]
    return TriggerOut(type=type, description=inspect.getdoc(CONTRACTS[type].data) or "", fields=fields)
