"""Every route declares its permission; what probes and scrapers read is the only exception."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.routing import iter_route_contexts
from flotilla.http.application import build
from flotilla.http.routes import LIMITS, Route
from flotilla.security.permissions import KNOWN

from checks.project import Finding, Project

TITLE = "every route declares its permission"
OPERATIONAL = frozenset({"/healthz", "/readyz", "/metrics", "/health"})
"""Reached on the service's own port only; the gateway routes nothing to them."""


def check(project: Project) -> Iterator[Finding]:
    """Every route of every service's application, built and not started."""
    for service in project.running():
        for route in iter_route_contexts(build(service.service).routes):
            if route.path in OPERATIONAL:
                continue
            message = _wrong(route)
            if message:
                methods = "/".join(sorted(route.methods or ("WEBSOCKET",)))
                yield Finding(*place(project, route, service.contents), f"{methods} {route.path}: {message}")


def _wrong(route: Any) -> str | None:
    """What a route lacks."""
    if not isinstance(route.original_route, Route):
        return "declare it on flotilla.http.Routes, which checks a permission"
    said = route.original_route.openapi_extra or {}
    if said.get("x-permission") not in KNOWN:
        return f"no role has {said.get('x-permission')!r}; add it to flotilla.security.permissions"
    if said.get("x-rate-limit") not in LIMITS:
        return f"unknown rate-limit class {said.get('x-rate-limit')!r}; choose of {', '.join(LIMITS)}"
    return None


def place(project: Project, route: Any, otherwise: Path) -> tuple[Path, int]:
    """Where its function stands."""
    code = getattr(inspect.unwrap(route.endpoint), "__code__", None) if route.endpoint else None
    path = Path(code.co_filename) if code else None
    if code is None or path is None or not path.is_relative_to(project.root):
        return otherwise, 1
    return path.relative_to(project.root), code.co_firstlineno
