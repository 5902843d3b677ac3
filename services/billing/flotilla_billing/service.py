"""What billing has: everything in one place."""

from datetime import timedelta

from flotilla.bus.declare import Lane
from flotilla.events import billing as events
from flotilla.events.websocket import NotificationRequested
from flotilla.service import Service

from flotilla_billing import keeping_up
from flotilla_billing.allowing import agreed
from flotilla_billing.api import invoices, payments, portal, settings, stripe_requests, subscription, wallet
from flotilla_billing.api import stripe as paying
from flotilla_billing.dunning import dunning_step, renewal
from flotilla_billing.handlers import clients, onboarding, organizations, purchases, usage
from flotilla_billing.handlers import invoices as wishes
from flotilla_billing.privacy import privacy
from flotilla_billing.settings import BillingSettings
from flotilla_billing.stripe.charges import charge_job, give_back_job
from flotilla_billing.stripe.checkouts import checkout_job
from flotilla_billing.stripe.client import SEALED, opened
from flotilla_billing.stripe.dues import end_job
from flotilla_billing.stripe.errands import request_job
from flotilla_billing.stripe.subscriptions import cancel_job, meter_job, refresh_job
from flotilla_billing.subscribing import trial_ends

service = Service(
    name="billing",
    privacy=privacy,
    settings=BillingSettings,
    resources=opened,
    routes=(
        invoices.routes,
        payments.routes,
        portal.routes,
        settings.routes,
        subscription.plan_routes,
        subscription.routes,
        subscription.usage_routes,
        wallet.wallet,
        wallet.bought,
        paying.accounts,
        paying.paying,
        paying.hooks,
        stripe_requests.routes,
    ),
    lanes=(
        Lane("invoices"),
        Lane("purchases"),
        Lane("organizations"),
        Lane("companies", wait=timedelta(milliseconds=250)),
        Lane("usage", wait=timedelta(milliseconds=250)),
    ),
    handlers=(
        wishes.issue_requested,
        wishes.void_requested,
        purchases.pay_requested,
        purchases.refund_requested,
        organizations.keep_organizations,
        clients.keep_clients,
        onboarding.begin_trials,
        onboarding.take_back_trials,
        organizations.keep_companies,
        usage.count_ai,
        usage.count_seats,
        usage.keep_owners,
        usage.count_channels,
        usage.count_children,
    ),
    jobs=(checkout_job, meter_job, cancel_job, refresh_job, end_job, charge_job, give_back_job, request_job),
    timers=(trial_ends, agreed, dunning_step, renewal),
    workers=(keeping_up.worker,),
    sealed=(SEALED,),
    emits=(
        events.SubscriptionCreated,
        events.SubscriptionUpdated,
        events.SubscriptionCancelled,
        events.SubscriptionFailed,
        events.SubscriptionCancelFailed,
        events.EntitlementChanged,
        events.UsageLimitReached,
        events.InvoiceIssued,
        events.InvoiceFailed,
        events.InvoiceVoided,
        events.InvoiceVoidFailed,
        events.InvoiceUpdated,
        events.InvoicePaid,
        events.PaymentSucceeded,
        events.PaymentFailed,
        events.PaymentRefunded,
        events.PaymentRefundFailed,
        NotificationRequested,
    ),
)
