"""What is said and taken of partners' subscriptions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from flotilla.http.bodies import Shown, Written
from pydantic import AwareDatetime, Field, StringConstraints

from flotilla_integrations.adapters.addresses import WebAddress

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]
Type = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z_.]+(\.v[0-9]+|\.\*)$")]
Types = Annotated[list[Type], Field(min_length=1, max_length=200)]
FilterValue = bool | int | Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Filters = dict[Annotated[str, StringConstraints(max_length=200)], list[FilterValue]]
StateName = Literal["preparing", "active", "paused", "disabled"]
DeliveryState = Literal["waiting", "delivered", "failed", "expired"]


class SubscriptionIn(Written):
    """What makes a subscription."""

    kind: Literal["amqp", "webhook"]
    name: Name
    types: Types = Field(description="Types that `GET /v1/partner-events` lists, or `<entity>.*`.")
    filters: Filters = Field(
        default_factory=dict,
        description="`{field: [values]}`: only events whose fields have one of these values.",
    )
    personal_data: bool = Field(
        default=False, description="Whether fields that say something of a person are filled in."
    )
    url: WebAddress | None = Field(default=None, description="Of a webhook: where it is sent.")


class SubscriptionPatch(Written):
    """What to change."""

    name: Name | None = None
    types: Types | None = None
    filters: Filters | None = None
    personal_data: bool | None = None
    url: WebAddress | None = None


class QueueOut(Shown):
    """Where a partner's program reads, over AMQP 0-9-1."""

    address: str = Field(description="`amqp://host:port` of the broker.")
    vhost: str
    queue: str
    username: str


class SubscriptionOut(Shown):
    """A subscription, without its secrets."""

    id: UUID
    kind: Literal["amqp", "webhook"]
    name: str
    types: list[str]
    filters: dict[str, list[bool | int | str]]
    personal_data: bool
    url: str | None
    queue: QueueOut | None
    state: StateName
    reason: str | None = Field(description="Why it was disabled.")
    failing_since: datetime | None = Field(description="Since when nothing was taken.")
    delivered_at: datetime | None = Field(description="When something was last taken.")
    created_at: datetime
    updated_at: datetime
    sequence: int = Field(description="Counts its changes; also its ETag.")


class SubscriptionMade(SubscriptionOut):
    """A subscription with its secret, which is shown here and never again."""

    secret: str = Field(description="The queue's password, or what webhooks are signed with (`whsec_…`).")


class WindowOut(Shown):
    """Which events can be delivered again."""

    oldest_position: int
    last_position: int = Field(description="0, and less than the oldest, where nothing was kept yet.")


class ReplayIn(Written):
    """From where to deliver again: one of the two."""

    from_position: int | None = Field(default=None, ge=1, le=2**53)
    from_time: AwareDatetime | None = None


class ReplayOut(Shown):
    """What will be delivered again: of these positions, whatever the subscription wants."""

    run: int
    from_position: int
    until_position: int


class DeliveryOut(Shown):
    """A delivery and what came of its last attempt."""

    id: UUID
    event_id: UUID = Field(description="Also the webhook's id.")
    type: str
    position: int | None = Field(description="Of the event in the window; none of a test.")
    run: int = Field(description="0 at first; higher each time something was delivered again.")
    state: DeliveryState
    attempts: int
    due_at: datetime | None = Field(description="When it is tried (again).")
    status: int | None = Field(description="What the endpoint answered.")
    milliseconds: int | None
    response: str | None = Field(description="The beginning of its answer.")
    error: str | None
    made_at: datetime
    attempted_at: datetime | None


class OfferOut(Shown):
    """A type of event that can be subscribed to."""

    type: str
    description: str
    personal_fields: list[str] = Field(description="Null, unless a subscription asks for personal data.")
    owner: str
    restricted: bool = Field(description="For owners and administrators only.")
