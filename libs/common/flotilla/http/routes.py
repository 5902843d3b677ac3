"""Routes that declare their permission, and run in one transaction.

    contacts = Routes("/v1/contacts", tag="contacts")

    @contacts.get("/{contact_id}", permission="contacts:read")
    async def read_contact(contact_id: UUID, tx: Tx, who: Who) -> ContactOut: ...

`permission="public"` is for sign-in and for hooks that prove themselves otherwise. `limit` names the
rate-limit class that the gateway applies: `session` (by who asks), `dear` (so too, and in a smaller budget besides:
one of these costs as much as many others), `sign_in`, `hook`, `open`. `feature` names
what of the organization's plan a route takes (flotilla.features): the gateway answers 402 or 403 where that is
used up or not to be had. Routes that read, end or undo take none. `recent` is for what is sensitive: only who
proved a few minutes ago who they are may do it, else 401 `step-up-required` (POST /v1/step-up). `True`: programs never
may; `PEOPLE`: programs may by their scopes, which somebody gave them with such a proof; words: the endpoint asks for it
(`check_recent`) when they say so. Routes by a permission of `SENSITIVE` that change something have to say, `False` too,
which is for what ends, undoes or shows nothing. `sent` declares the
body of a route that reads it itself: media types, each with its schema (see bodies.raw_body). `plain` is for the few
that are asked for hundreds of times a second (flotilla.http.plain). `audited` is what the audit log is told of a
request that changed something and emitted nothing (flotilla.http.deeds).

A permission about records with owners (`SCOPED`) may be held for less than all. A route says by `reach` what it is
then: `rows`, the database shows and changes what is in reach (flotilla.security.reach); `free`, it shows nothing that
is anybody's; or, where nothing is said, `all`: only who has the permission for all may call it, else 403.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from flotilla.app import App
from flotilla.cause import Cause, current_cause, current_telling
from flotilla.features import FEATURES
from flotilla.http import deeds, guests, repeating
from flotilla.http.errors import unexpected
from flotilla.http.work import Replay, RequestWork
from flotilla.ids import new_id
from flotilla.problems import ForbiddenError, Problem, StepUpRequiredError, UnauthorizedError
from flotilla.security.permissions import ALL, KNOWN, PUBLIC, SCOPED, SENSITIVE
from flotilla.security.principal import ANONYMOUS, HEADER, Principal
from flotilla.security.reach import current_reach, reach_of
from flotilla.telemetry import metrics
from flotilla.telemetry.traces import request_traceparent

F = TypeVar("F", bound=Callable[..., Any])
Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
RECENT_SECONDS: Final = 600
PEOPLE: Final = "people"
LIMITS: Final = ("session", "dear", "sign_in", "hook", "open")
REACHES: Final = ("rows", "free", "all")


class Route(APIRoute):
    """Checks the permission, opens the work, commits it, and makes problems of what goes wrong."""

    def get_route_handler(self) -> Handler:
        """The handler FastAPI calls."""
        return self.guarded(super().get_route_handler())

    def guarded(self, endpoint: Handler) -> Handler:
        """What every route is between, around this."""
        permission: str = (self.openapi_extra or {})["x-permission"]
        recent = (self.openapi_extra or {}).get("x-step-up")
        for_all = (self.openapi_extra or {}).get("x-reach") == "all"
        audited: str = (self.openapi_extra or {}).get("x-audit", deeds.FIELDS)

        async def handle(request: Request) -> Response:
            app: App = request.app.state.app
            who = authenticate(app, request, permission)
            if recent is True or (recent == PEOPLE and who.scopes is None):
                check_recent(who)
            if for_all:
                check_for_all(who, permission)
            current_reach.set(reach_of(who, permission))
            cause = _cause(request, who)
            if who.via is not None:
                await guests.note(app, who, request, permission, cause)
            work = request.state.work = RequestWork(app, request, who, cause)
            current_cause.set(cause)
            telling = deeds.owed(work, request, permission, audited)
            current_telling.set(telling)
            try:
                response = await endpoint(request)
                await deeds.tell(work, request, response, telling, audited)
                await work.commit(response)
            except Replay as replay:
                await work.roll_back(replay)
                return replay.response
            except (Problem, HTTPException, RequestValidationError, asyncio.CancelledError) as error:
                await work.roll_back(error)
                raise
            except Exception as error:
                named = await work.roll_back(error)
                repeating.check(request, work, named)
                if isinstance(named, Problem):
                    raise named from error
                return unexpected(request, named)
            finally:
                # What was begun in the background goes on, and is not what was asked for.
                telling.deed = None
            return response

        return self._measured(repeating.repeated(handle))

    def _measured(self, handle: Handler) -> Handler:
        async def measured(request: Request) -> Response:
            began, status = time.perf_counter(), 500
            try:
                response = await handle(request)
                status = response.status_code
            except Problem as problem:
                status = problem.status
                raise
            except HTTPException as error:
                status = error.status_code
                raise
            except RequestValidationError:
                status = 422
                raise
            finally:
                seconds = time.perf_counter() - began
                metrics.REQUESTS.labels(self.path_format, request.method, str(status)).observe(seconds)
            return response

        return measured


class Routes(APIRouter):
    """The routes of one resource."""

    def __init__(self, prefix: str, *, tag: str) -> None:
        super().__init__(prefix=prefix, tags=[tag], route_class=Route)
        self.plain: list[Route] = []
        """Those that are answered past FastAPI (`flotilla.http.plain`)."""

    def _declare(
        self, method: str, path: str, permission: str, limit: str, **options: Any
    ) -> Callable[[F], F]:
        if permission not in KNOWN:
            raise ValueError(f"{method} {self.prefix}{path}: no role has {permission!r}")
        if limit not in LIMITS:
            raise ValueError(f"{method} {self.prefix}{path}: unknown rate-limit class {limit!r}")
        extra: dict[str, Any] = {"x-permission": permission, "x-rate-limit": limit}
        if (feature := options.pop("feature", None)) is not None:
            if feature not in FEATURES:
                raise ValueError(f"{method} {self.prefix}{path}: no plan allows {feature!r}")
            extra["x-feature"] = feature
        if (sent := options.pop("sent", None)) is not None:
            extra["requestBody"] = {"required": True, "content": sent}
        recent = options.pop("recent", None)
        if recent is None and permission in SENSITIVE and method != "GET":
            raise ValueError(f"{method} {self.prefix}{path}: {permission!r} is sensitive; say `recent`")
        if recent:
            extra["x-step-up" if recent in (True, PEOPLE) else "x-step-up-when"] = recent
        if (audited := options.pop("audited", deeds.FIELDS)) != deeds.FIELDS:
            if audited not in deeds.AUDITED:
                raise ValueError(f"{method} {self.prefix}{path}: nothing is audited as {audited!r}")
            extra["x-audit"] = audited
        reach = options.pop("reach", None)
        if permission in SCOPED:
            extra["x-reach"] = reach or "all"
        if reach is not None and (reach not in REACHES or permission not in SCOPED):
            raise ValueError(f"{method} {self.prefix}{path}: {permission!r} has no reach {reach!r}")

        plain = options.pop("plain", False)

        def declare(endpoint: F) -> F:
            # What answers nothing has no body; FastAPI would send the word "null".
            if endpoint.__annotations__.get("return", endpoint) is None:
                options.setdefault("response_class", Response)
            declared = self.api_route(path, methods=[method], openapi_extra=extra, **options)(endpoint)
            if plain:
                self.plain += [route for route in self.routes[-1:] if isinstance(route, Route)]
            return declared

        return declare

    def get(self, path: str, *, permission: str, limit: str = "session", **options: Any) -> Callable[[F], F]:  # type: ignore[override]
        """Read."""
        return self._declare("GET", path, permission, limit, **options)

    def post(self, path: str, *, permission: str, limit: str = "session", **options: Any) -> Callable[[F], F]:  # type: ignore[override]
        """Make or do; safe to repeat with an Idempotency-Key."""
        return self._declare("POST", path, permission, limit, **options)

    def put(self, path: str, *, permission: str, limit: str = "session", **options: Any) -> Callable[[F], F]:  # type: ignore[override]
        """Set."""
        return self._declare("PUT", path, permission, limit, **options)

    def patch(  # type: ignore[override]
        self, path: str, *, permission: str, limit: str = "session", **options: Any
    ) -> Callable[[F], F]:
        """Change some fields."""
        return self._declare("PATCH", path, permission, limit, **options)

    def delete(  # type: ignore[override]
        self, path: str, *, permission: str, limit: str = "session", **options: Any
    ) -> Callable[[F], F]:
        """Remove."""
        return self._declare("DELETE", path, permission, limit, **options)


def authenticate(app: App, request: Request, permission: str) -> Principal:
    """Who the gateway says this is; 401 or 403 problems where that does not do."""
    token = request.headers.get(HEADER)
    who = app.principals.verify(token) if token else ANONYMOUS
    if permission == PUBLIC:
        return who
    if who is ANONYMOUS:
        raise UnauthorizedError("Send `Authorization: Bearer <access token>`.")
    if not who.may(permission):
        raise ForbiddenError(
            f"It takes the permission `{permission}`; ask an administrator of your organization."
        )
    return who


def check_for_all(who: Principal, permission: str) -> None:
    """A 403 problem where they have the permission for some people's records only."""
    if (scope := who.scope(permission)) != ALL:
        raise ForbiddenError(
            f"It takes the permission `{permission}` for all records; you have it for `{scope}`."
        )


def check_recent(who: Principal) -> None:
    """A 401 problem where it is too long ago that they proved who they are, or they are a program."""
    if not who.authenticated_within(RECENT_SECONDS):
        challenge = f'Bearer error="insufficient_user_authentication", max_age={RECENT_SECONDS}'
        raise StepUpRequiredError(
            "Prove anew who you are (POST /v1/step-up), and repeat this with the new access token.",
            headers={"WWW-Authenticate": challenge},
        )


def _cause(request: Request, who: Principal) -> Cause:
    return Cause(
        correlation_id=new_id(),
        actor=who.actor if who is not ANONYMOUS else None,
        traceparent=request_traceparent(),
    )
