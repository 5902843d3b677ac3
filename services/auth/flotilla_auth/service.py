"""Auth's table of contents."""

from flotilla.events import auth
from flotilla.service import Service

from flotilla_auth import handlers
from flotilla_auth.api import ROUTES
from flotilla_auth.resources import open_resources
from flotilla_auth.workers import WORKERS

service = Service(
    name="auth",
    resources=open_resources,
    routes=ROUTES,
    lanes=(handlers.API_KEYS,),
    handlers=(handlers.keep_key_use,),
    workers=WORKERS,
    emits=(
        auth.OrganizationCreated,
        auth.OrganizationUpdated,
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
    ),
)
