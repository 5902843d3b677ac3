"""What kyb has: everything in one place."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events import kyb as events
from flotilla.events import pipeline
from flotilla.service import Service

from flotilla_kyb import handlers, own
from flotilla_kyb.api import alerts, checks, counterparties, onboardings, sources
from flotilla_kyb.asking import ask_gleif, ask_vies
from flotilla_kyb.monitoring import check_overdue, monitor_due, recheck_due
from flotilla_kyb.privacy import privacy
from flotilla_kyb.sagas import onboarding
from flotilla_kyb.settings import KybSettings

service = Service(
    name="kyb",
    privacy=privacy,
    settings=KybSettings,
    resources=own.opened,
    routes=(counterparties, checks, onboardings, alerts, sources),
    jobs=(ask_vies, ask_gleif),
    lanes=(Lane("sagas", wait=timedelta(milliseconds=100)),),
    handlers=(handlers.ask_for_decision, onboarding.facts),
    timers=(monitor_due, check_overdue, recheck_due, onboarding.timer),
    sagas=(onboarding,),
    emits=(
        events.CounterpartyCreated,
        events.CounterpartyChanged,
        events.CounterpartyChecked,
        events.CounterpartyAlertRaised,
        events.SourceFailed,
        events.SourceRecovered,
        events.CounterpartyDecisionRequested,
        events.CounterpartyCleared,
        events.CounterpartyRefused,
        pipeline.DealHoldRequested,
        pipeline.DealReleaseRequested,
    ),
)
