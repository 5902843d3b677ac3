"""Automation's table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.automation import RuleCreated, RuleTriggered, RuleUpdated, TriggerExecuted, TriggerFailed
from flotilla.events.crm import TaskRequested
from flotilla.events.messaging import MessageRequested
from flotilla.events.pipeline import DealMoveRequested
from flotilla.service import Service

from flotilla_automation import own, workers
from flotilla_automation.api import dry_run, rules, runs, triggers
from flotilla_automation.handlers import run_rules
from flotilla_automation.settings import AutomationSettings
from flotilla_automation.steps import step_due, webhook

service = Service(
    name="automation",
    settings=AutomationSettings,
    resources=own.opened,
    routes=(triggers.routes, dry_run.routes, rules.routes, runs.routes),
    lanes=(Lane(own.LANE, wait=timedelta(milliseconds=100)),),
    tap=run_rules,
    jobs=(webhook,),
    timers=(step_due,),
    workers=(workers.bindings, workers.sweep),
    emits=(
        RuleCreated,
        RuleUpdated,
        RuleTriggered,
        TriggerExecuted,
        TriggerFailed,
        TaskRequested,
        DealMoveRequested,
        MessageRequested,
    ),
)
