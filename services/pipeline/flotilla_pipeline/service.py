"""What pipeline has: everything in one place."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events import billing, crm
from flotilla.events import pipeline as events
from flotilla.service import Service

from flotilla_pipeline import assignments, contacts, handlers, holding, onboarding
from flotilla_pipeline.api import board, deals, pipelines
from flotilla_pipeline.privacy import privacy
from flotilla_pipeline.rotting import rotting
from flotilla_pipeline.sagas import deal_won

service = Service(
    name="pipeline",
    privacy=privacy,
    routes=(pipelines, board, deals),
    lanes=(
        Lane("deals", wait=timedelta(milliseconds=100)),
        Lane("sagas", wait=timedelta(milliseconds=100)),
        Lane("directory", wait=timedelta(milliseconds=250)),
    ),
    handlers=(
        handlers.keep_users,
        contacts.keep_contacts,
        contacts.follow_merges,
        contacts.follow_unmerges,
        contacts.follow_deletions,
        handlers.keep_companies,
        onboarding.begin_pipelines,
        onboarding.take_back_pipelines,
        handlers.open_leads,
        handlers.move_deals,
        assignments.assign_deals,
        holding.hold_deals,
        holding.release_deals,
        deal_won.facts,
    ),
    timers=(deal_won.timer, rotting),
    sagas=(deal_won,),
    emits=(
        events.PipelineCreated,
        events.PipelineUpdated,
        events.PipelineDeleted,
        events.PipelineFailed,
        events.PipelineDeleteFailed,
        events.StageCreated,
        events.StageUpdated,
        events.DealCreated,
        events.DealUpdated,
        events.DealStageChanged,
        events.DealMoveFailed,
        events.DealAssignFailed,
        events.DealWon,
        events.DealLost,
        events.DealClosed,
        events.DealRotted,
        events.DealHeld,
        events.DealHoldFailed,
        events.DealReleased,
        events.DealReleaseFailed,
        billing.InvoiceRequested,
        billing.InvoiceVoidRequested,
        crm.TaskRequested,
        crm.TaskDeleteRequested,
    ),
)
