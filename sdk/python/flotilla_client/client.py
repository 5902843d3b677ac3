"""The client that generated functions are given, and what a program wants beside them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, Protocol, Self, TypeVar

import httpx

from flotilla_client.problems import problem_of
from flotilla_client.rest.client import AuthenticatedClient
from flotilla_client.sending import AsyncSending, ClientCredentials, KeyAuth, Sending, TokenAuth

T = TypeVar("T")
Item = TypeVar("Item", covariant=True)
ATTEMPTS: Final = 4
PATIENCE_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 30.0


class PageOf(Protocol[Item]):
    """What a list answers."""

    @property
    def items(self) -> Sequence[Item]: ...

    @property
    def next_cursor(self) -> Any: ...


class _Raising(httpx.Client):
    """Raises problems."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = super().send(request, **options)
        if response.status_code >= httpx.codes.BAD_REQUEST:
            response.read()
            raise problem_of(response)
        return response


class _AsyncRaising(httpx.AsyncClient):
    """Raises problems."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = await super().send(request, **options)
        if response.status_code >= httpx.codes.BAD_REQUEST:
            await response.aread()
            raise problem_of(response)
        return response


class Flotilla(AuthenticatedClient):
    """One caller of one Flotilla: an API key, an OAuth client, or somebody's access token.

    Give it to the generated functions as `client=`, or have `call` and `pages` do so. Every answer of 400 and above
    is raised as a ProblemError. `attempts` and `patience` bound how often, and for how many seconds, it is tried again.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        access_token: str | None = None,
        attempts: int = ATTEMPTS,
        patience: float = PATIENCE_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(base_url=base_url.rstrip("/"), token="", raise_on_unexpected_status=True)
        auth = _auth(base_url, api_key, client_id, client_secret, access_token)
        options: dict[str, Any] = {"base_url": base_url, "auth": auth, "timeout": timeout}
        self.set_httpx_client(
            _Raising(transport=Sending(httpx.HTTPTransport(), attempts, patience), **options)
        )
        self.set_async_httpx_client(
            _AsyncRaising(transport=AsyncSending(httpx.AsyncHTTPTransport(), attempts, patience), **options)
        )

    def call(self, operation: Callable[..., T | None], **arguments: Any) -> T:
        """What `operation` (`create_contact.sync`) answers."""
        answer = operation(client=self, **arguments)
        assert answer is not None, "this operation answers nothing: call it with client="
        return answer

    async def acall(self, operation: Callable[..., Awaitable[T | None]], **arguments: Any) -> T:
        """What `operation` (`create_contact.asyncio`) answers."""
        answer = await operation(client=self, **arguments)
        assert answer is not None, "this operation answers nothing: call it with client="
        return answer

    def pages(self, operation: Callable[..., PageOf[Item] | None], **arguments: Any) -> Iterator[Item]:
        """Every item of a list (`list_contacts.sync`), read page by page as they are asked for."""
        while True:
            page = self.call(operation, **arguments)
            yield from page.items
            if not isinstance(page.next_cursor, str):
                return
            arguments["cursor"] = page.next_cursor

    async def apages(
        self, operation: Callable[..., Awaitable[PageOf[Item] | None]], **arguments: Any
    ) -> AsyncIterator[Item]:
        """Every item of a list (`list_contacts.asyncio`), read page by page as they are asked for."""
        while True:
            page = await self.acall(operation, **arguments)
            for item in page.items:
                yield item
            if not isinstance(page.next_cursor, str):
                return
            arguments["cursor"] = page.next_cursor

    def close(self) -> None:
        """Close connections."""
        self.get_httpx_client().close()

    async def aclose(self) -> None:
        """Close connections."""
        await self.get_async_httpx_client().aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object, **__: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object, **__: object) -> None:
        await self.aclose()


def _auth(
    base_url: str,
    api_key: str | None,
    client_id: str | None,
    client_secret: str | None,
    access_token: str | None,
) -> httpx.Auth | None:
    if sum(each is not None for each in (api_key, client_id, access_token)) > 1:
        raise ValueError("Give an API key, or a client's id and secret, or an access token.")
    if api_key is not None:
        return KeyAuth(api_key)
    if client_id is not None:
        return ClientCredentials(base_url, client_id, client_secret or "")
    return TokenAuth(access_token) if access_token is not None else None
