"""Envelope (CloudEvents 1.0, structured JSON) and the registry of contracts."""

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, TypeVar, get_type_hints
from uuid import UUID

import msgspec

SEQUENCE_WIDTH: Final = 20
MAX_EVENT_BYTES: Final = 64 * 1024

PERSONAL: Final = msgspec.Meta(extra_json_schema={"x-personal-data": True})
"""Marks a field that says something of a person: sealed in the archive, redacted for partners, null once
erased; so it is nullable in every version."""

Personal = Annotated[str | None, PERSONAL]

INTERNAL: Final = msgspec.Meta(extra_json_schema={"x-internal": True})
"""Marks a field for services of the fleet alone: null in what partners, rules and people are shown, so nullable."""

Internal = Annotated[str | None, INTERNAL]

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its offset, RFC 3339; one without is refused, nobody could say when it was."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of an event: the entity's whole public state and what changed in it."""

    changed: dict[str, list[Any]] = {}
    """`{field: [old, new]}`; empty for an entity that has just come to be."""


class Envelope(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="specversion", tag="1.0"
):
    """CloudEvents 1.0 attributes; names are lower case without separators, as section 3.1 asks.

    `specversion` is the struct's tag, so that it is always written and any other version is refused.
    """

    id: UUID
    source: str
    type: str
    subject: str
    time: Moment
    organizationid: UUID
    sequence: str
    correlationid: UUID
    data: msgspec.Raw
    region: str
    """`eu`, `us` or `ca`: where the organization is homed; the event is stored nowhere else."""
    causationid: UUID | None = None
    requestid: UUID | None = None
    traceparent: str | None = None
    actor: str | None = None
    """Who caused it: `user:<id>`, `api_key:<id>`, `contact:<id>`, `ai:<agent>`, `rule:<id>`, `service:<name>`."""
    audience: str | None = None
    """Who may see it, space-separated: `org`, `user:<id>`, `team:<id>`. Absent: org-wide roles only."""
    dataschema: str | None = None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of a currency, exact."""

    amount_minor: int
    """In the currency's smallest unit: cents, yen, fils."""
    currency: str
    """ISO 4217: `EUR`."""


T = TypeVar("T", bound=Event)


@dataclass(frozen=True)
class Contract:
    """One version of one event: who owns it, what it is about, whose personal data it holds."""

    type: str
    owner: str
    data: "builtins.type[Event]"
    subject: str
    """The field of `data` that names the entity; `sequence` counts per (owner, entity, subject)."""
    person: tuple[str, ...]
    """Fields that name the person whose data it is: the first wins that is set, or was until this event (`changed`);
    empty: nobody's."""
    wish: bool = False
    """Whether any service may ask: then the owner is who answers, and `source` says who asked."""
    shared: bool = False
    """Whether any service may tell it of itself: the owner is who asked, and `source` says who tells."""
    transient: bool = False
    """Whether it is worth something now or never: told by `App.transient`, kept and archived nowhere."""

    @cached_property
    def entity(self) -> str:
        """`message` of `message.received.v1`, `ai.draft` of `ai.draft.approved.v1`."""
        return self.type.rsplit(".", 2)[0]

    @cached_property
    def source(self) -> str:
        """The CloudEvents source; of a wish or a shared fact, its owner's."""
        return f"/flotilla/{self.owner}"

    @cached_property
    def dataschema(self) -> str:
        """The `$id` of contracts/events/<type>.json, the schema of the whole envelope; an absolute URI."""
        return f"urn:flotilla:event:{self.type}"

    @property
    def personal_fields(self) -> tuple[str, ...]:
        """Names of the fields of `data` that are personal."""
        return self._marked(PERSONAL)

    @property
    def internal_fields(self) -> tuple[str, ...]:
        """Names of the fields of `data` that only services of the fleet may see."""
        return self._marked(INTERNAL)

    def _marked(self, mark: msgspec.Meta) -> tuple[str, ...]:
        hints = get_type_hints(self.data, include_extras=True)
        return tuple(name for name, hint in hints.items() if mark in getattr(hint, "__metadata__", ()))

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Event]:
        """Decodes `data`; unknown fields are ignored, so that a contract may grow."""
        return msgspec.json.Decoder(self.data)


CONTRACTS: Final[dict[str, Contract]] = {}
_BY_CLASS: Final[dict[type[Event], Contract]] = {}


def event(
    type_: str,
    *,
    owner: str,
    subject: str,
    person: tuple[str, ...] = (),
    wish: bool = False,
    shared: bool = False,
    transient: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Register a struct as the contract of `type_` (`<entity>.<fact>.v<N>`, also its routing key)."""

    def register(data: type[T]) -> type[T]:
        if type_ in CONTRACTS:
            raise ValueError(f"{type_} is declared twice")
        contract = Contract(
            type=type_,
            owner=owner,
            data=data,
            subject=subject,
            person=person,
            wish=wish,
            shared=shared,
            transient=transient,
        )
        CONTRACTS[type_] = _BY_CLASS[data] = contract
        return data

    return register


def contract_of(data: type[Event]) -> Contract:
    """The contract a struct was registered as; KeyError for a struct that is not an event."""
    return _BY_CLASS[data]
