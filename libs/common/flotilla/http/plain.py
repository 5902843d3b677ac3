"""Routes of which there are hundreds a second, answered past FastAPI: its routing and its solving of dependencies cost
several times what such a route does itself.

    @routes.post("/{connector}/{account_id}", permission="public", limit="hook", plain=True)
    async def receive(connector: str, account_id: str, request: Request, app: CurrentApp, work: Work) -> HookAnswer: ...

The same function, found by its path before the application looks for it, called with strings of the path and what of
`Request`, `CurrentApp` and `Work` it names. Permissions, problems, measures and the transaction are those of every
route. It reads its body itself, and answers 200.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from flotilla.http.errors import respond
from flotilla.http.routes import Handler, Route
from flotilla.http.work import CurrentApp, Work
from flotilla.problems import Problem

GIVEN: Final[dict[Any, Callable[[Request], Any]]] = {
    Request: lambda request: request,
    CurrentApp: lambda request: request.app.state.app,
    Work: lambda request: request.state.work,
}


class Plain:
    """Answers plain routes, and hands everything else to the application."""

    def __init__(self, application: FastAPI, routes: Iterable[Route]) -> None:
        self._application = application
        self._routes = [
            (route.methods or (), route.path_regex, route.guarded(_called(route))) for route in routes
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        handle = self._find(scope) if scope["type"] == "http" else None
        if handle is None:
            await self._application(scope, receive, send)
            return
        scope["app"] = self._application
        request = Request(scope, receive, send)
        try:
            response = await handle(request)
        except Problem as problem:
            response = respond(request, problem)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Handler | None:
        for methods, path, handle in self._routes:
            if scope["method"] in methods and (found := path.match(scope["path"])):
                scope["path_params"] = found.groupdict()
                return handle
        return None


def _called(route: Route) -> Handler:
    names = route.path_regex.groupindex
    parameters = inspect.signature(route.endpoint).parameters
    strings = [name for name in parameters if name in names]
    given = {name: each.annotation for name, each in parameters.items() if name not in names}
    unknown = [name for name, annotation in given.items() if annotation not in GIVEN]
    if unknown or any(parameters[name].annotation is not str for name in strings):
        raise TypeError(
            f"{route.path}: a plain route takes strings of its path, Request, CurrentApp and Work"
        )
    gifts = [(name, GIVEN[annotation]) for name, annotation in given.items()]

    async def call(request: Request) -> Response:
        arguments = {name: request.path_params[name] for name in strings}
        answer = await route.endpoint(**arguments, **{name: give(request) for name, give in gifts})
        return Response(answer.model_dump_json(), media_type="application/json")

    return call
