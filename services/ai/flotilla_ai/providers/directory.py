"""Which provider answers for an organization, and whether it should be asked at the moment."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flotilla.breaker import Breaker
from flotilla.security.sealed_columns import SealedColumn
from flotilla.security.sealing import Keyring

from flotilla_ai.library import Choice
from flotilla_ai.metrics import PROVIDER_ERRORS, PROVIDER_SECONDS
from flotilla_ai.providers.base import Answer, ProviderBusyError, ProviderError, Question, Search
from flotilla_ai.providers.network import guarded_client
from flotilla_ai.providers.openai_compatible import OpenAiCompatible
from flotilla_ai.settings import AiSettings

if TYPE_CHECKING:
    import httpx2


class Providers:
    """The hosted providers that this process has asked."""

    def __init__(self, settings: AiSettings, keyring: Keyring) -> None:
        self._settings = settings
        self._keyring = keyring
        self._http: httpx2.AsyncClient | None = None
        # Each organization's own: one that has entered a wrong key does not cost the others their provider.
        self._breakers: dict[tuple[UUID, str], Breaker] = {}

    async def ask(self, org: UUID, choice: Choice, question: Question, search: Search) -> Answer:
        """The organization's provider's answer; ProviderError where there is none to be had."""
        return await self._asked(org, choice, lambda provider: provider.answer(question, search))

    async def complete(self, org: UUID, choice: Choice, messages: list[dict[str, Any]]) -> Answer:
        """What the organization's provider says to these messages; ProviderError where it says nothing."""
        return await self._asked(org, choice, lambda provider: provider.complete(messages))

    async def _asked(
        self, org: UUID, choice: Choice, asking: Callable[[OpenAiCompatible], Awaitable[Answer]]
    ) -> Answer:
        breaker = self._breakers.setdefault((org, choice.base_url), Breaker())
        if breaker.is_open:
            raise ProviderError("the provider is given a rest")
        try:
            with PROVIDER_SECONDS.time():
                answer = await asking(self._provider(org, choice))
        except ProviderBusyError:
            PROVIDER_ERRORS.labels("busy").inc()
            raise
        except ProviderError:
            PROVIDER_ERRORS.labels("failed").inc()
            breaker.record(False)
            raise
        breaker.record(True)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def _provider(self, org: UUID, choice: Choice) -> OpenAiCompatible:
        seconds = self._settings.ai_provider_seconds
        if self._http is None:
            self._http = guarded_client(seconds, private=self._settings.ai_private_providers)
        sealed = choice.sealed_api_key
        return OpenAiCompatible(
            self._http,
            base_url=choice.base_url,
            model=choice.model,
            api_key=self._keyring.open(sealed, key_place(org)).decode() if sealed else "",
            seconds=seconds,
        )


def key_place(org: UUID) -> bytes:
    """What ties a sealed key to its organization."""
    return b"ai_settings:" + org.bytes


SEALED: Final = SealedColumn(
    "ai_settings", "sealed_api_key", ("organization_id",), lambda row: key_place(row["organization_id"])
)
