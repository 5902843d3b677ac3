"""Busy histories of any events, made from their contracts: what services tell each other, with nobody in particular."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from flotilla.events.auth import SigningKeyRotated
from flotilla.events.base import Event, contract_of
from flotilla.events.billing import Entitlement
from flotilla.features import FEATURES
from flotilla.ids import PLATFORM_ORG, new_id

ROLES: Final = ("owner", "admin", "team_owner", "team_member", "client", "viewer")
NAMED: Final[dict[str, Sequence[Any]]] = {
    "role": ROLES,
    "state": ("active", "deactivated", "suspended"),
    "currency": ("EUR", "UAH"),
    "time_zone": ("Europe/Kyiv", "America/Toronto"),
    "locale": ("en", "uk"),
}
"""Fields whose values are of a few."""
FOR_GOOD: Final = {"kind": ("calendar", "channel"), "purpose": ("marketing", "sale")}
"""What an entity is, or is for, and remains."""


@dataclass(frozen=True)
class Told:
    """An event as its owner told it."""

    id: UUID
    org: UUID
    sequence: int
    data: Event


class History:
    """Two organizations' events of some types, each entity changing many times."""

    def __init__(self, types: Sequence[type[Event]], seed: int) -> None:
        self.types = types
        self.orgs = [new_id(), new_id()]
        self._random = random.Random(seed)
        self._subjects = {org: [new_id() for _ in range(12)] for org in self.orgs}
        self._sequences: Counter[tuple[UUID, UUID]] = Counter()

    def some(self, count: int) -> list[Told]:
        """What happens next; some of it told twice, and out of order."""
        told = [self._one(self._random.choice(self.types)) for _ in range(count)]
        told += self._random.sample(told, count // 10)
        for place in self._random.sample(range(1, len(told)), count // 5):
            told[place - 1], told[place] = told[place], told[place - 1]
        return told

    def last(self) -> list[Told]:
        """One of each type, by whose arrival one knows that all before it were handled."""
        return [self._one(type_, fresh=True) for type_ in self.types]

    def _one(self, type_: type[Event], *, fresh: bool = False) -> Told:
        contract = contract_of(type_)
        org = PLATFORM_ORG if type_ is SigningKeyRotated else self._random.choice(self.orgs)
        fixed: dict[str, Any] = {}
        subject = new_id() if fresh else self._random.choice(self._subjects.get(org, [org]))
        if contract.subject == "organization_id":
            subject = org
        elif issubclass(type_, Entitlement):  # an organization has one of each feature
            fixed["feature"] = self._random.choice(sorted(FEATURES))
            subject = uuid5(org, fixed["feature"])
        self._sequences[org, subject] += 1
        data = self._struct(type_, subject) | fixed | {contract.subject: subject, "changed": {}}
        return Told(new_id(), org, self._sequences[org, subject], type_(**data))

    def _struct(self, type_: type[msgspec.Struct], subject: UUID) -> dict[str, Any]:
        info = msgspec.inspect.type_info(type_)
        assert isinstance(info, msgspec.inspect.StructType)
        return {field.name: self._value(field.name, field.type, subject) for field in info.fields}

    def _value(self, name: str, type_: Any, subject: UUID) -> Any:
        kinds = msgspec.inspect
        if isinstance(type_, kinds.Metadata):
            return self._value(name, type_.type, subject)
        if isinstance(type_, kinds.UnionType):
            return self._value(name, self._random.choice(type_.types), subject)
        if isinstance(type_, kinds.NoneType):
            return None
        if isinstance(type_, kinds.UUIDType):  # what else an entity names, it names for good
            return uuid5(subject, name)
        if name in FOR_GOOD:
            return FOR_GOOD[name][subject.int % 2]
        if name in NAMED:
            return self._random.choice(NAMED[name])
        if isinstance(type_, kinds.StructType):
            return type_.cls(**self._struct(type_.cls, subject))
        if isinstance(type_, kinds.ListType):
            return [self._value("", type_.item_type, subject) for _ in range(self._random.randrange(3))]
        if isinstance(type_, kinds.DictType):
            return {}
        return self._plain(name, type_)

    def _plain(self, name: str, type_: Any) -> Any:
        kinds = msgspec.inspect
        number = self._random.randrange(1000)
        made: dict[type, Callable[[], Any]] = {
            kinds.StrType: lambda: f"{number:064x}" if name == "verifier" else f"word {number}",
            kinds.IntType: lambda: number,
            kinds.FloatType: lambda: number / 1000,
            kinds.BoolType: lambda: number % 2 == 0,
            kinds.DateTimeType: lambda: datetime.now(UTC),
            kinds.LiteralType: lambda: self._random.choice(type_.values),
        }
        return made[type(type_)]()
