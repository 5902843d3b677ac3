"""Events of auth: organizations, people, sessions, signing keys."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Internal, Moment, Personal, event

_event = partial(event, owner="auth")


class Organization(Event, frozen=True, kw_only=True):
    """The state of an organization."""

    organization_id: UUID
    name: str
    slug: str
    locale: str
    time_zone: str
    currency: str
    region: str
    state: str
    """`trial`, `active` or `suspended`."""
    onboarding: str = "done"
    """`running`, `done`, or `failed`: what others prepare for it at its beginning is not all there."""
    second_factor_required: bool = False
    """Whether nobody enters without one."""
    allowed_origins: list[str] = msgspec.field(default_factory=list)
    """Whose pages may call the API in a browser for its people: `https://app.example.com`."""
    domain: str | None = None
    """The company's, in ASCII (IDNA), as its owner states it: unproven, and others may state the same."""


@_event("organization.created.v1", subject="organization_id")
class OrganizationCreated(Organization, frozen=True, kw_only=True):
    """An organization signed up."""


@_event("organization.updated.v1", subject="organization_id")
class OrganizationUpdated(Organization, frozen=True, kw_only=True):
    """Its settings changed, its onboarding came to an end, or it is open again after a suspension."""


@_event("organization.suspended.v1", subject="organization_id")
class OrganizationSuspended(Organization, frozen=True, kw_only=True):
    """Nobody may do anything in it until Flotilla's operators open it again."""

    reason: str


class User(Event, frozen=True, kw_only=True):
    """The state of a person's membership of one organization."""

    user_id: UUID
    email: Personal
    name: Personal
    role: str
    """A role of AUTH-6: `owner`, `admin`, `team_owner`, `team_member`, `client`, `viewer`."""
    role_id: UUID | None = None
    """Their organization's own role, where they have one: `role` is then the smallest that may all of it."""
    locale: str
    time_zone: str | None = None
    """IANA, as `Europe/Berlin`; none: their organization's."""
    avatar_url: str | None = None
    """The path at which colleagues read their picture, another for another picture; none: they have none."""
    state: str
    """`active` or `deactivated`."""


@_event("user.created.v1", subject="user_id", person=("user_id",))
class UserCreated(User, frozen=True, kw_only=True):
    """A person joined the organization."""


@_event("user.updated.v1", subject="user_id", person=("user_id",))
class UserUpdated(User, frozen=True, kw_only=True):
    """Their name, role, language, time zone or picture changed."""


@_event("user.deactivated.v1", subject="user_id", person=("user_id",))
class UserDeactivated(User, frozen=True, kw_only=True):
    """They may no longer sign in to this organization."""


@_event("user.logged_in.v1", subject="session_id", person=("user_id",))
class UserLoggedIn(Event, frozen=True, kw_only=True):
    """A session began."""

    session_id: UUID
    user_id: UUID
    method: str
    address: Personal
    user_agent: Personal


@_event("user.sign_in.failed.v1", subject="user_id", person=("user_id",))
class UserSignInFailed(Event, frozen=True, kw_only=True):
    """A wrong password for an existing person."""

    user_id: UUID
    address: Personal
    attempts: int


@_event("session.ended.v1", subject="session_id", person=("user_id",))
class SessionEnded(Event, frozen=True, kw_only=True):
    """A session was ended: its access tokens are refused from now on."""

    session_id: UUID
    user_id: UUID
    reason: str
    """`signed_out`, `revoked`, `refresh_reused`, `user_deactivated`, `password_changed`, `second_factor_changed`, or
    `second_factor_required` where the organization demands one from now on."""
    ended_at: Moment


class ApiKey(Event, frozen=True, kw_only=True):
    """The state of an API key; the key itself is shown once, to who made it, and written nowhere."""

    api_key_id: UUID
    name: str
    scopes: list[str]
    """Permissions that it carries, of those its creator has."""
    role: str
    """Its creator's, whose view of the organization it has."""
    created_by: UUID
    expires_at: Moment | None
    """Null: until it is revoked."""
    requests_per_hour: int | None = None
    """How often it may be used at most, within what its organization's plan allows; null: as often as the plan says."""
    verifier: Internal
    """SHA-256 of the key, lower-case hex: what the gateway finds it by. Of 256 random bits, so it tells nothing of the
    key and opens nothing; still nobody outside the fleet is sent it."""


@_event("api_key.created.v1", subject="api_key_id")
class ApiKeyCreated(ApiKey, frozen=True, kw_only=True):
    """A program may act for the organization."""


@_event("api_key.revoked.v1", subject="api_key_id")
class ApiKeyRevoked(ApiKey, frozen=True, kw_only=True):
    """It may no longer: refused from now on."""

    revoked_at: Moment
    reason: str
    """`revoked`, or `creator_changed` where who made it left or lost permissions."""


class Invitation(Event, frozen=True, kw_only=True):
    """The state of an invitation."""

    invitation_id: UUID
    email: Personal
    role: str
    invited_by: UUID
    expires_at: Moment
    state: str
    """`pending`, `accepted` or `revoked`."""
    contact_id: UUID | None = None
    """Of a client: the contact that they will be linked to."""


@_event("invitation.created.v1", subject="invitation_id", person=("invitation_id",))
class InvitationCreated(Invitation, frozen=True, kw_only=True):
    """Somebody was invited."""


@_event("invitation.accepted.v1", subject="invitation_id", person=("invitation_id",))
class InvitationAccepted(Invitation, frozen=True, kw_only=True):
    """They came."""

    user_id: UUID


class PublicKey(Event, frozen=True, kw_only=True):
    """One public signing key (JWK, RFC 8037: OKP, Ed25519)."""

    kid: str
    x: str
    """The public key, base64url without padding."""
    not_after: Moment
    """When the last token it signed has expired."""


@_event("invitation.revoked.v1", subject="invitation_id", person=("invitation_id",))
class InvitationRevoked(Invitation, frozen=True, kw_only=True):
    """It was taken back, by a person or with the access of whoever made it."""


@_event("signing_key.rotated.v1", subject="key_set_id")
class SigningKeyRotated(Event, frozen=True, kw_only=True):
    """The whole set of keys whose tokens are valid now, the signing one first. Belongs to no tenant."""

    key_set_id: UUID
    keys: list[PublicKey]


class Client(Event, frozen=True, kw_only=True):
    """Which contacts somebody of the role `client` is."""

    user_id: UUID
    contact_ids: list[UUID]
    """The one they were invited as, then those that were merged with it."""


@_event("client.linked.v1", subject="user_id")
class ClientLinked(Client, frozen=True, kw_only=True):
    """They are these contacts from now on: they may see what is theirs."""


@_event("client.unlinked.v1", subject="user_id")
class ClientUnlinked(Client, frozen=True, kw_only=True):
    """They are no contact any more: the link was ended, or the contact is gone."""


class WorkingHours(msgspec.Struct, frozen=True, kw_only=True):
    """A window of the week."""

    weekday: int
    """ISO 8601: 1 is Monday."""
    opens: str
    closes: str
    """`HH:MM`, in the team's time zone."""


class Team(Event, frozen=True, kw_only=True):
    """The state of a team."""

    team_id: UUID
    name: str
    skills: list[str]
    """What its members can be asked for; a member has some of them."""
    distribution: str
    """How clients come to members: `round_robin`, `weighted`, `least_loaded` or `by_skill`."""
    sticky: bool
    """Whether a client goes back to the member who had them before."""
    time_zone: str
    """IANA."""
    hours: list[WorkingHours]
    """When it works; none: always."""
    state: str
    """`active` or `archived`."""


@_event("team.created.v1", subject="team_id")
class TeamCreated(Team, frozen=True, kw_only=True):
    """There is a team."""


@_event("team.updated.v1", subject="team_id")
class TeamUpdated(Team, frozen=True, kw_only=True):
    """Something about it changed, or it was archived."""


class TeamMember(Event, frozen=True, kw_only=True):
    """The state of somebody's membership of a team."""

    membership_id: UUID
    team_id: UUID
    user_id: UUID
    lead: bool
    skills: list[str]
    capacity: int
    """How many clients they can have at once."""
    weight: int
    """Their share where clients are distributed by weight."""


@_event("team.member.added.v1", subject="membership_id")
class TeamMemberAdded(TeamMember, frozen=True, kw_only=True):
    """A person belongs to a team, or belongs to it otherwise than before."""


@_event("team.member.removed.v1", subject="membership_id")
class TeamMemberRemoved(TeamMember, frozen=True, kw_only=True):
    """They belong to it no longer."""


@_event("client.assigned.v1", subject="contact_id")
class ClientAssigned(Event, frozen=True, kw_only=True):
    """Somebody of a team takes care of a client from now on; or nobody does any more."""

    contact_id: UUID
    team_id: UUID
    user_id: UUID | None
    """Null: released."""
    before_user_id: UUID | None
    reason: str
    """`round_robin`, `weighted`, `least_loaded`, `by_skill`, `sticky`, `chosen` by a person, or `released`."""
    skill: str | None
    """What was asked for."""


@_event("agent.presence.changed.v1", subject="user_id")
class AgentPresenceChanged(Event, frozen=True, kw_only=True):
    """Whether somebody is there."""

    user_id: UUID
    status: str
    """`online`, `busy`, `away` or `offline`, also where nothing was heard of them for a while."""


@_event("role.updated.v1", subject="role_id")
class RoleUpdated(Event, frozen=True, kw_only=True):
    """An organization's own role came to be, changed, or was deleted."""

    role_id: UUID
    """What a person's `role_id` says where they have this one."""
    name: str
    base: str
    """The smallest built-in role that may all of it: what a person's `role` says."""
    permissions: dict[str, str]
    """`<resource>:<action>` to what it is for: `own`, the person's own records; `team`, their teams'; or `all`."""
    state: str
    """`active` or `deleted`."""
