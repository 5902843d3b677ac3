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
    PartnerSubscriptionChanged,
)
from flotilla.service import Service

from flotilla_integrations import own
from flotilla_integrations.api import accounts, hooks
from flotilla_integrations.checking import account_checks
from flotilla_integrations.connecting import connect_job, disconnect_job
from flotilla_integrations.handlers import queue_sends
from flotilla_integrations.lines import send_released
from flotilla_integrations.partners import api as partners
from flotilla_integrations.partners import workers as partner_workers
from flotilla_integrations.partners.binding import LANE as PARTNERS
from flotilla_integrations.partners.handlers import keep_for_partners
from flotilla_integrations.partners.provisioning import provision_job
from flotilla_integrations.partners.replays import replay_job
from flotilla_integrations.partners.rulings import ruling_timer
from flotilla_integrations.partners.turns import turn_job
from flotilla_integrations.sending import send_job
from flotilla_integrations.settings import IntegrationsSettings

service = Service(
    name="integrations",
    settings=IntegrationsSettings,
    resources=own.opened,
    routes=(
        accounts.routes,
        accounts.connectors,
        hooks.routes,
        partners.routes,
        partners.log_routes,
        partners.offer_routes,
    ),
    lanes=(Lane("sends", wait=timedelta(milliseconds=20)), Lane(PARTNERS, wait=timedelta(milliseconds=100))),
    handlers=(queue_sends,),
    tap=keep_for_partners,
    jobs=(send_job, connect_job, disconnect_job, turn_job, provision_job, replay_job),
    timers=(send_released, ruling_timer),
    workers=(account_checks, partner_workers.bindings, partner_workers.sweep),
    emits=(
        IntegrationConnected,
        IntegrationDisconnected,
        IntegrationFailed,
        ChannelMessageReceived,
        ChannelMessageSent,
        ChannelMessageFailed,
        ChannelMessageUnconfirmed,
        ChannelReceiptReceived,
        PartnerSubscriptionChanged,
    ),
)
