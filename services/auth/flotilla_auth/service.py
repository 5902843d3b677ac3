"""Auth's table of contents."""

from flotilla.bus.declare import Lane
from flotilla.events import auth, billing, messaging, pipeline, security, sharing, websocket
from flotilla.events import privacy as privacy_events
from flotilla.service import Service

from flotilla_auth import bounds, clients, grants, handlers, parenthood, privacy_saga, retention
from flotilla_auth.api import ROUTES
from flotilla_auth.feature_flags import flag_setting
from flotilla_auth.key_revocation import revocation as key_revocation
from flotilla_auth.mail.inviting import invitation_mail
from flotilla_auth.mail.sending import mail_job
from flotilla_auth.onboarding import onboarding
from flotilla_auth.presence import expiry
from flotilla_auth.privacy import privacy
from flotilla_auth.privacy_archive import archive
from flotilla_auth.resources import open_resources
from flotilla_auth.sealed import HASHED, SEALED
from flotilla_auth.second_factor_reset import reset as second_factor_reset
from flotilla_auth.settings import AuthSettings
from flotilla_auth.suspension import suspension
from flotilla_auth.workers import WORKERS

service = Service(
    name="auth",
    settings=AuthSettings,
    resources=open_resources,
    routes=ROUTES,
    lanes=(handlers.API_KEYS, Lane(onboarding.lane)),
    handlers=(
        handlers.keep_key_use,
        onboarding.facts,
        privacy_saga.take_persons,
        privacy_saga.collect_answers,
        grants.end_derived,
        parenthood.keep_child_allowances,
        clients.follow_merges,
        clients.follow_unmerges,
        clients.follow_deletions,
        bounds.heed_plans,
    ),
    timers=(
        onboarding.timer,
        suspension,
        second_factor_reset,
        key_revocation,
        expiry,
        privacy_saga.overdue,
        flag_setting,
        grants.leave_child,
        bounds.reminder,
    ),
    jobs=(mail_job, invitation_mail, archive),
    privacy=privacy,
    sagas=(onboarding,),
    workers=(*WORKERS, retention.worker),
    sealed=SEALED,
    hashed=HASHED,
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
        security.UserEmailVerified,
        security.UserPasswordChanged,
        security.UserSecondFactorAdded,
        security.UserSecondFactorRemoved,
        security.UserSecondFactorFailed,
        security.UserSecondFactorReset,
        security.UserPasskeyRenamed,
        security.UserPasskeyRefused,
        security.UserRecoveryCodeUsed,
        security.UserRecoveryCodeRenewed,
        security.UserStepUpPassed,
        security.UserIdentityLinked,
        security.UserIdentityUnlinked,
        security.MailSent,
        security.MailFailed,
        auth.InvitationCreated,
        auth.InvitationAccepted,
        auth.InvitationRevoked,
        auth.ClientLinked,
        auth.ClientUnlinked,
        auth.SigningKeyRotated,
        auth.ApiKeyCreated,
        auth.ApiKeyRevoked,
        security.OAuthClientCreated,
        security.OAuthClientSecretRotated,
        security.OAuthClientRevoked,
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
        privacy_events.ContactResolveRequested,
        privacy_events.ErasureRequested,
        privacy_events.ExportRequested,
        privacy_events.FeatureFlagChanged,
        privacy_events.RetentionChanged,
        sharing.OrganizationGrantCreated,
        sharing.OrganizationGrantAccepted,
        sharing.OrganizationGrantRevoked,
        sharing.OrganizationEntered,
    ),
)
