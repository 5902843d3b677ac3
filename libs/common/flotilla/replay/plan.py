"""Which projections of a service can be built anew, and what a wish makes of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from flotilla.bus.declare import Handler, HandlerKind
from flotilla.events.base import contract_of
from flotilla.replay.wire import Opening
from flotilla.service import Service


class RefusedError(ValueError):
    """The wish cannot be done: why."""


@dataclass(frozen=True)
class Plan:
    """What one replay builds anew."""

    handlers: tuple[Handler, ...]
    """In the service's order."""
    partial: bool
    """Not all events are in: what they tell is set right, and nothing is removed."""

    @property
    def tables(self) -> tuple[str, ...]:
        """All their tables, in order."""
        return tuple(table for handler in self.handlers for table in handler.tables)

    def stamps(self, table: str) -> tuple[str, ...]:
        """Columns of a table that are not compared."""
        return next(handler.stamps for handler in self.handlers if table in handler.tables)


def projections(service: Service) -> tuple[Handler, ...]:
    """All projections of a service."""
    return tuple(handler for handler in service.handlers if handler.kind is HandlerKind.PROJECTION)


def rebuildable(service: Service) -> tuple[Handler, ...]:
    """Those that can be built anew."""
    return tuple(handler for handler in projections(service) if handler.tables)


def tables_of(service: Service) -> tuple[str, ...]:
    """Every table that has a shadow."""
    return tuple(table for handler in rebuildable(service) for table in handler.tables)


def plan(service: Service, opening: Opening) -> Plan:
    """What the wish comes to here; RefusedError where it names what cannot be built anew."""
    wanted = opening.filter
    chosen = _chosen(service, opening.projections)
    types = types_of(chosen)
    if unknown := sorted(set(wanted.types) - types):
        raise RefusedError(f"no projection of these takes {', '.join(unknown)}")
    partial = bool(wanted.types or wanted.subjects or wanted.since)
    if wanted.types:
        chosen = tuple(handler for handler in chosen if types_of([handler]) & set(wanted.types))
    return Plan(chosen, partial)


def types_of(handlers: Iterable[Handler]) -> set[str]:
    """The events these take."""
    return {contract_of(type_).type for handler in handlers for type_ in handler.types}


def _chosen(service: Service, names: list[str]) -> tuple[Handler, ...]:
    able = rebuildable(service)
    if not names:
        if not able:
            raise RefusedError(f"{service.name} has no projection that can be built anew")
        return able
    known = {handler.name: handler for handler in projections(service)}
    for name in names:
        if name not in known:
            raise RefusedError(
                f"{service.name} has no projection {name}; it has {', '.join(known) or 'none'}"
            )
        if not known[name].tables:
            raise RefusedError(f"{name} cannot be built anew: {known[name].not_rebuilt}")
    return tuple(handler for handler in able if handler.name in names)
