"""Integrations' table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.integrations import (
    ChannelMessageFailed,
    ChannelMessageReceived,
    ChannelMessageSent,
    ChannelMessageUnconfirmed,
    ChannelReceiptReceived,
    IntegrationConnected,
    IntegrationDisconnected,
    IntegrationFailed,
)
from flotilla.service import Service

from flotilla_integrations import own
from flotilla_integrations.api import accounts, hooks
from flotilla_integrations.checking import account_checks
from flotilla_integrations.connecting import connect_job, disconnect_job
from flotilla_integrations.handlers import queue_sends
from flotilla_integrations.lines import send_released
from flotilla_integrations.sending import send_job
from flotilla_integrations.settings import IntegrationsSettings

service = Service(
    name="integrations",
    settings=IntegrationsSettings,
    resources=own.opened,
    routes=(accounts.routes, accounts.connectors, hooks.routes),
    lanes=(Lane("sends", wait=timedelta(milliseconds=20)),),
    handlers=(queue_sends,),
    jobs=(send_job, connect_job, disconnect_job),
    timers=(send_released,),
    workers=(account_checks,),
    emits=(
        IntegrationConnected,
        IntegrationDisconnected,
        IntegrationFailed,
        ChannelMessageReceived,
        ChannelMessageSent,
        ChannelMessageFailed,
        ChannelMessageUnconfirmed,
        ChannelReceiptReceived,
    ),
)
