"""Automation's table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.ai import DraftRequested
from flotilla.events.analytics import ArchiveReadRequested
from flotilla.events.automation import (
    RuleCreated,
    RuleTriggered,
    RuleUpdated,
    ScheduleDue,
    TriggerExecuted,
    TriggerFailed,
)
from flotilla.events.bookings import BookingRequested
from flotilla.events.campaign import SequenceStartRequested
from flotilla.events.crm import ContactUpdateRequested, TaskRequested
from flotilla.events.messaging import ConversationAssignRequested, MessageRequested
from flotilla.events.pipeline import DealAssignRequested, DealMoveRequested
from flotilla.events.websocket import NotificationRequested
from flotilla.service import Service

from flotilla_automation import backtests, consents, own, workers
from flotilla_automation.api import dry_run, rules, runs, triggers
from flotilla_automation.api.backtests import routes as backtest_routes
from flotilla_automation.handlers import keep_limits, run_rules
from flotilla_automation.privacy import privacy
from flotilla_automation.schedules import schedule_due
from flotilla_automation.settings import AutomationSettings
from flotilla_automation.steps import step_due, webhook

service = Service(
    name="automation",
    privacy=privacy,
    settings=AutomationSettings,
    resources=own.opened,
    routes=(triggers.routes, dry_run.routes, backtest_routes, rules.routes, runs.routes),
    lanes=(
        Lane(own.LANE, wait=timedelta(milliseconds=100)),
        Lane("directory", wait=timedelta(milliseconds=250)),
        backtests.archive_lane,
    ),
    handlers=(
        consents.keep_opt_outs,
        consents.keep_consents,
        consents.keep_regions,
        consents.keep_rules,
        keep_limits,
        backtests.end_backtests,
    ),
    tap=run_rules,
    jobs=(webhook,),
    timers=(step_due, schedule_due, backtests.backtest_overdue),
    workers=(workers.bindings, workers.sweep),
    emits=(
        RuleCreated,
        RuleUpdated,
        RuleTriggered,
        TriggerExecuted,
        TriggerFailed,
        ScheduleDue,
        TaskRequested,
        DealMoveRequested,
        DealAssignRequested,
        MessageRequested,
        ConversationAssignRequested,
        ContactUpdateRequested,
        SequenceStartRequested,
        DraftRequested,
        NotificationRequested,
        ArchiveReadRequested,
        BookingRequested,
    ),
)
