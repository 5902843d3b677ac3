"""What kyb has: everything in one place."""

from flotilla.events import kyb as events
from flotilla.service import Service

from flotilla_kyb import own
from flotilla_kyb.api import alerts, checks, counterparties, sources
from flotilla_kyb.asking import ask_gleif, ask_vies
from flotilla_kyb.monitoring import check_overdue, monitor_due, recheck_due
from flotilla_kyb.privacy import privacy
from flotilla_kyb.settings import KybSettings

service = Service(
    name="kyb",
    privacy=privacy,
    settings=KybSettings,
    resources=own.opened,
    routes=(counterparties, checks, alerts, sources),
    jobs=(ask_vies, ask_gleif),
    timers=(monitor_due, check_overdue, recheck_due),
    emits=(
        events.CounterpartyCreated,
        events.CounterpartyChanged,
        events.CounterpartyChecked,
        events.CounterpartyAlertRaised,
        events.SourceFailed,
        events.SourceRecovered,
    ),
)
