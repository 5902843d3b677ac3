"""Events of auth about how people and programs prove who they are."""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, Personal, event

_event = partial(event, owner="auth")


@_event("user.email.verified.v1", subject="user_id", person=("user_id",))
class UserEmailVerified(Event, frozen=True, kw_only=True):
    """They have shown that mail to their address reaches them."""

    user_id: UUID


@_event("user.password.changed.v1", subject="user_id", person=("user_id",))
class UserPasswordChanged(Event, frozen=True, kw_only=True):
    """They have another password."""

    user_id: UUID
    how: str
    """`changed`, by somebody who knew the one before, or `reset`, with a token from a mail."""


@_event("user.second_factor.added.v1", subject="user_id", person=("user_id",))
class UserSecondFactorAdded(Event, frozen=True, kw_only=True):
    """From now on a sign-in takes it."""

    user_id: UUID
    method: str
    """`totp` or `passkey`."""
    passkey_id: UUID | None = None
    """Which, where it is one: they may have several."""


@_event("user.second_factor.removed.v1", subject="user_id", person=("user_id",))
class UserSecondFactorRemoved(Event, frozen=True, kw_only=True):
    """It is good for nothing any more."""

    user_id: UUID
    method: str
    passkey_id: UUID | None = None


@_event("user.second_factor.reset.v1", subject="user_id", person=("user_id",))
class UserSecondFactorReset(Event, frozen=True, kw_only=True):
    """An operator removed all of theirs, and their recovery codes: they had lost them. Their sessions are ended.

    `changed` says what they had: `totp` and how many `passkeys` and `recovery_codes`.
    """

    user_id: UUID
    reason: Personal
    """The operator's words."""


@_event("user.passkey.renamed.v1", subject="user_id", person=("user_id",))
class UserPasskeyRenamed(Event, frozen=True, kw_only=True):
    """They call it otherwise."""

    user_id: UUID
    passkey_id: UUID
    name: Personal


@_event("user.passkey.refused.v1", subject="user_id", person=("user_id",))
class UserPasskeyRefused(Event, frozen=True, kw_only=True):
    """Somebody answered a challenge for this person, and not as its owner would."""

    user_id: UUID
    passkey_id: UUID | None
    """None where it is not one of theirs."""
    address: Personal
    reason: str
    """`invalid`: no signature of it for us; `cloned`: its count of signatures went back, so two have it, and it is
    refused from now on; `suspended`: it was refused for that before; `anothers`: not one of theirs."""


@_event("user.second_factor.failed.v1", subject="user_id", person=("user_id",))
class UserSecondFactorFailed(Event, frozen=True, kw_only=True):
    """Somebody who knew the password gave a wrong second factor."""

    user_id: UUID
    address: Personal
    attempts: int


@_event("user.recovery_code.used.v1", subject="user_id", person=("user_id",))
class UserRecoveryCodeUsed(Event, frozen=True, kw_only=True):
    """One stood in for the second factor."""

    user_id: UUID
    left: int


@_event("user.recovery_code.renewed.v1", subject="user_id", person=("user_id",))
class UserRecoveryCodeRenewed(Event, frozen=True, kw_only=True):
    """They have others; those from before are good no longer."""

    user_id: UUID


@_event("user.step_up.passed.v1", subject="user_id", person=("user_id",))
class UserStepUpPassed(Event, frozen=True, kw_only=True):
    """They proved anew who they are, before something sensitive."""

    user_id: UUID
    session_id: UUID
    method: str
    """`password`, `totp`, `recovery_code` or `passkey`."""


@_event("user.identity.linked.v1", subject="user_id", person=("user_id",))
class UserIdentityLinked(Event, frozen=True, kw_only=True):
    """They sign in with an account elsewhere from now on."""

    user_id: UUID
    provider: str


@_event("user.identity.unlinked.v1", subject="user_id", person=("user_id",))
class UserIdentityUnlinked(Event, frozen=True, kw_only=True):
    """Nobody signs in with it any more."""

    user_id: UUID
    provider: str


class Mail(Event, frozen=True, kw_only=True):
    """A mail to somebody about their account."""

    mail_id: UUID
    user_id: UUID
    """Who has it; of an `invitation` who invited, as whom they invited has no account yet."""
    kind: str
    """`verify_email`, `reset_password`, `password_changed`, `invitation`, …"""


@_event("mail.sent.v1", subject="mail_id", person=("user_id",))
class MailSent(Mail, frozen=True, kw_only=True):
    """The mail server has it."""


@_event("mail.failed.v1", subject="mail_id", person=("user_id",))
class MailFailed(Mail, frozen=True, kw_only=True):
    """It was not sent, and will not be."""

    reason: str
    """`not_configured`, `refused`, `unreachable`, or `too_many` where they had enough of its kind."""


class OAuthClient(Event, frozen=True, kw_only=True):
    """The state of a partner's program that fetches access tokens; its secret is written nowhere."""

    client_id: UUID
    name: str
    scopes: list[str]
    """Permissions that its tokens may carry."""
    role: str
    """Its creator's, whose view of the organization it has."""
    created_by: UUID
    secret_rotated_at: Moment


@_event("oauth_client.created.v1", subject="client_id")
class OAuthClientCreated(OAuthClient, frozen=True, kw_only=True):
    """A partner's program may fetch tokens."""


@_event("oauth_client.secret_rotated.v1", subject="client_id")
class OAuthClientSecretRotated(OAuthClient, frozen=True, kw_only=True):
    """It has another secret."""


@_event("oauth_client.revoked.v1", subject="client_id")
class OAuthClientRevoked(OAuthClient, frozen=True, kw_only=True):
    """It may no longer: it and its tokens are refused from now on."""

    revoked_at: Moment
    reason: str
    """`revoked`, or `creator_changed` where who made it left or lost permissions."""
