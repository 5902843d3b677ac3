"""Integrations' table of contents."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events.bd_accounts import (
    BdAccountConnected,
    BdAccountDisconnected,
    BdAccountHandedOver,
    BdAccountHandoverFailed,
    BdAccountHandoverRequested,
    BdAccountPurchased,
    BdAccountReleased,
    BdAccountRented,
    BdAccountRevoked,
    BdAccountRevokeFailed,
    BdAccountRevokeRequested,
    BidiAssigned,
    BidiUnassigned,
)
from flotilla.events.billing import PaymentRefundRequested, PaymentRequested
from flotilla.events.connectors import CommerceOrderChanged, ExternalRecordChanged, VoiceCallEnded
from flotilla.events.integrations import (
    CalendarEventChanged,
    CalendarEventCreated,
    CalendarEventDeleted,
    CalendarEventDeleteFailed,
    CalendarEventFailed,
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
from flotilla.events.transient import ChannelTyping
from flotilla.service import Service

from flotilla_integrations import own
from flotilla_integrations.api import accounts, bd_accounts, bd_offers, calendars, calls, hooks
from flotilla_integrations.bd.handover import hand_over, hand_over_job, revoke
from flotilla_integrations.bd.saga import LANE as MARKET
from flotilla_integrations.bd.saga import purchase_saga, rent_ended
from flotilla_integrations.bd.seller import seller_job
from flotilla_integrations.calendars.handlers import LANE as CALENDARS
from flotilla_integrations.calendars.handlers import delete_events, write_events
from flotilla_integrations.calendars.syncing import sync_job
from flotilla_integrations.calendars.writing import delete_job, write_job
from flotilla_integrations.checking import account_checks
from flotilla_integrations.connecting import connect_job, disconnect_job
from flotilla_integrations.connectors.calls import place_job
from flotilla_integrations.connectors.records import read_job
from flotilla_integrations.connectors.taking import deliveries_forgotten
from flotilla_integrations.directory import SEALED as CREDENTIALS
from flotilla_integrations.handlers import queue_sends
from flotilla_integrations.lines import send_released
from flotilla_integrations.partners import api as partners
from flotilla_integrations.partners import workers as partner_workers
from flotilla_integrations.partners.binding import LANE as PARTNERS
from flotilla_integrations.partners.handlers import keep_for_partners
from flotilla_integrations.partners.provisioning import provision_job
from flotilla_integrations.partners.replays import replay_job
from flotilla_integrations.partners.rulings import ruling_timer
from flotilla_integrations.partners.secrets import SEALED as PARTNER_SECRETS
from flotilla_integrations.partners.turns import turn_job
from flotilla_integrations.privacy import privacy
from flotilla_integrations.sending import send_job
from flotilla_integrations.settings import IntegrationsSettings

service = Service(
    name="integrations",
    privacy=privacy,
    settings=IntegrationsSettings,
    resources=own.opened,
    routes=(
        accounts.routes,
        accounts.connectors,
        calendars.routes,
        bd_accounts.routes,
        bd_offers.offers,
        bd_offers.purchases,
        calls.routes,
        hooks.routes,
        partners.routes,
        partners.log_routes,
        partners.offer_routes,
    ),
    lanes=(
        Lane("sends", wait=timedelta(milliseconds=20), busy_wait=timedelta(milliseconds=100)),
        Lane(CALENDARS, wait=timedelta(milliseconds=100)),
        Lane(MARKET, wait=timedelta(milliseconds=100)),
        Lane(PARTNERS, wait=timedelta(milliseconds=100)),
    ),
    handlers=(queue_sends, write_events, delete_events, hand_over, revoke, purchase_saga.facts),
    tap=keep_for_partners,
    jobs=(
        send_job,
        connect_job,
        disconnect_job,
        write_job,
        delete_job,
        sync_job,
        hand_over_job,
        seller_job,
        place_job,
        read_job,
        turn_job,
        provision_job,
        replay_job,
    ),
    timers=(send_released, rent_ended, purchase_saga.timer, ruling_timer),
    sagas=(purchase_saga,),
    workers=(account_checks, deliveries_forgotten, partner_workers.bindings, partner_workers.sweep),
    sealed=(CREDENTIALS, PARTNER_SECRETS),
    emits=(
        IntegrationConnected,
        IntegrationDisconnected,
        IntegrationFailed,
        ChannelMessageReceived,
        ChannelMessageSent,
        ChannelMessageFailed,
        ChannelMessageUnconfirmed,
        ChannelReceiptReceived,
        ChannelTyping,
        CalendarEventCreated,
        CalendarEventFailed,
        CalendarEventDeleted,
        CalendarEventDeleteFailed,
        CalendarEventChanged,
        BdAccountConnected,
        BdAccountDisconnected,
        BdAccountPurchased,
        BdAccountRented,
        BdAccountReleased,
        BidiAssigned,
        BidiUnassigned,
        BdAccountHandoverRequested,
        BdAccountHandedOver,
        BdAccountHandoverFailed,
        BdAccountRevokeRequested,
        BdAccountRevoked,
        BdAccountRevokeFailed,
        CommerceOrderChanged,
        VoiceCallEnded,
        ExternalRecordChanged,
        PaymentRequested,
        PaymentRefundRequested,
        PartnerSubscriptionChanged,
    ),
)
