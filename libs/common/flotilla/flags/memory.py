"""The flags of all organizations in memory, and who each is on for."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext

from flotilla.ids import PLATFORM_ORG

if TYPE_CHECKING:
    from flotilla.store.postgres import Database

ANY: Final = "any"
ENVIRONMENTS: Final = ("development", "staging", "production", ANY)
ORGANIZATION: Final = "organization"
READ: Final = """
SELECT organization_id, key, environment, enabled, percentage FROM known_flags WHERE state = 'active'"""


@dataclass(frozen=True, slots=True)
class Flag:
    """One organization's, or the platform's, word on a feature."""

    key: str
    enabled: bool
    percentage: int

    def is_on(self, targeting_key: str) -> bool:
        """For whom: the same people each time, and who has it keeps it when the percentage grows."""
        return self.enabled and place_of(self.key, targeting_key) < self.percentage * 100


def place_of(key: str, targeting_key: str) -> int:
    """0 to 9999: where somebody stands in the line for a feature, another place for each feature."""
    digest = hashlib.sha256(f"{key}\x00{targeting_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10_000


def asking(org: UUID, user_id: UUID | None = None) -> EvaluationContext:
    """Who asks: a share of the organization's people where one is named, else a share of the organizations."""
    return EvaluationContext(str(user_id or org), {ORGANIZATION: str(org)})


class Flags:
    """Every flag, by (organization, environment, key)."""

    def __init__(self) -> None:
        self.environment: str = "production"
        """Of this process; set as it starts."""
        self._flags: dict[tuple[UUID, str, str], Flag] = {}

    async def read(self, db: "Database") -> None:
        """Take over what the database says."""
        rows = await db.fetch(READ)
        self.know(
            (row["organization_id"], row["environment"], Flag(row["key"], row["enabled"], row["percentage"]))
            for row in rows
        )

    def know(self, flags: Iterable[tuple[UUID, str, Flag]]) -> None:
        """These, and no others."""
        self._flags = {(org, environment, flag.key): flag for org, environment, flag in flags}

    def find(self, key: str, org: UUID) -> Flag | None:
        """The nearest word on a feature: the organization's before the platform's, this environment's before any's."""
        for owner in (org, PLATFORM_ORG):
            for environment in (self.environment, ANY):
                if (flag := self._flags.get((owner, environment, key))) is not None:
                    return flag
        return None

    def keys(self, org: UUID) -> list[str]:
        """Every feature that somebody said something of, for this organization."""
        return sorted({key for owner, _, key in self._flags if owner in (org, PLATFORM_ORG)})

    @cached_property
    def client(self) -> OpenFeatureClient:
        """OpenFeature's, over these flags; a domain of its own, so that processes in one test do not share them."""
        from openfeature import api

        from flotilla.flags.provider import MemoryProvider

        domain = f"flotilla-{id(self)}"
        api.set_provider(MemoryProvider(self), domain)
        return api.get_client(domain)

    def is_on(self, key: str, org: UUID, user_id: UUID | None = None, *, default: bool = False) -> bool:
        """Ask through OpenFeature."""
        found: Any = self.client.get_boolean_value(key, default, asking(org, user_id))
        return bool(found)
