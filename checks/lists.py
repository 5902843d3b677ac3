"""Every list that comes in pages can be read in its own order and in that reversed, at least."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import iter_route_contexts
from flotilla.http.application import build

from checks.project import Finding, Project
from checks.routes import place

TITLE = "every list that comes in pages can be sorted"
AS_THEY_ARE: Final[dict[tuple[str, str], str]] = {
    ("analytics", "search"): "what fits best comes first",
    ("crm", "list_booking_slots"): "worked out from hours and bookings, as time goes on",
    ("crm", "list_duplicates"): "pairs are found on the way through the contacts",
    ("messaging", "list_messages"): "`direction` says the order, and one cursor goes on in both",
    ("pipeline", "read_column"): "a column of a board is in the order that people gave it",
}
"""(service, function of the route) → why its order is what the list means. A new one needs a review."""


def check(project: Project) -> Iterator[Finding]:
    """Every route of every service's application, built and not started."""
    for service in project.running():
        left = {name for owner, name in AS_THEY_ARE if owner == service.name}
        for route in iter_route_contexts(build(service.service).routes):
            asked = _parameters(route)
            if "cursor" not in asked:
                continue
            name = route.endpoint.__name__ if route.endpoint else ""
            if ("sort" in asked) == (name in left):
                yield Finding(*place(project, route, service.contents), _wrong(name, "sort" in asked))
            left.discard(name)
        for name in sorted(left):
            message = f"{name} comes in no pages; take it out of AS_THEY_ARE in checks/lists.py"
            yield Finding(service.contents, 1, message)


def _parameters(route: Any) -> set[str]:
    """What may stand in its query."""
    dependant = getattr(route.original_route, "dependant", None)
    return {field.alias for field in get_flat_params(dependant)} if dependant else set()


def _wrong(name: str, is_sorted: bool) -> str:
    if is_sorted:
        return f"{name} has `sort`; take it out of AS_THEY_ARE in checks/lists.py"
    return f"{name} has `cursor` and no `sort`; give it the orders that its index has (flotilla.http.sorting)"
