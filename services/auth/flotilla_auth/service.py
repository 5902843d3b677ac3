"""Auth's table of contents."""

from flotilla.bus.declare import Lane
from flotilla.events import auth, billing, messaging, pipeline, websocket
from flotilla.service import Service

from flotilla_auth import handlers
from flotilla_auth.api import ROUTES
from flotilla_auth.onboarding import onboarding
from flotilla_auth.presence import expiry
from flotilla_auth.resources import open_resources
from flotilla_auth.suspension import suspension
from flotilla_auth.workers import WORKERS

service = Service(
    name="auth",
    resources=open_resources,
    routes=ROUTES,
    lanes=(handlers.API_KEYS, Lane(onboarding.lane)),
    handlers=(handlers.keep_key_use, onboarding.facts),
    timers=(onboarding.timer, suspension, expiry),
    sagas=(onboarding,),
    workers=WORKERS,
    emits=(
        auth.OrganizationCreated,
        auth.OrganizationUpdated,
        auth.OrganizationSuspended,
        auth.UserCreated,
        auth.UserUpdated,
        auth.UserDeactivated,
        auth.UserLoggedIn,
        auth.UserSignInFailed,
        auth.SessionEnded,
        auth.InvitationCreated,
        auth.InvitationAccepted,
        auth.InvitationRevoked,
        auth.SigningKeyRotated,
        auth.ApiKeyCreated,
        auth.ApiKeyRevoked,
        auth.TeamCreated,
        auth.TeamUpdated,
        auth.TeamMemberAdded,
        auth.TeamMemberRemoved,
        auth.ClientAssigned,
        auth.AgentPresenceChanged,
        auth.RoleUpdated,
        billing.SubscriptionRequested,
        billing.SubscriptionCancelRequested,
        pipeline.PipelineRequested,
        pipeline.PipelineDeleteRequested,
        messaging.InboxRequested,
        messaging.InboxDeleteRequested,
        websocket.NotificationRequested,
    ),
)
