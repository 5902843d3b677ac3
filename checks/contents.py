"""`service.py` lists exactly what exists: what a package declares and doesn't list never runs."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from flotilla.bus.declare import Handler, JobKind, Lane, Tap, TimerKind, Worker
from flotilla.sagas import SagaKind
from flotilla.service import Service

from checks.project import Finding, Project, ServiceTree, line_of

TITLE = "service.py lists what exists"
KINDS: dict[type[Any], str] = {
    APIRouter: "routes",
    Lane: "lanes",
    Handler: "handlers",
    Tap: "tap",
    JobKind: "jobs",
    TimerKind: "timers",
    Worker: "workers",
    SagaKind: "sagas",
}


def check(project: Project) -> Iterator[Finding]:
    """Every service: by importing all its modules and comparing objects."""
    for service in project.running():
        yield from _unlisted(service)
        for message in inconsistent(service.service):
            yield Finding(service.contents, 1, message)
        if service.service.name != service.name:
            yield Finding(
                service.contents, 1, f"it calls itself {service.service.name!r}; name it {service.name!r}"
            )


def _unlisted(service: ServiceTree) -> Iterator[Finding]:
    listed = {id(thing) for field in KINDS.values() for thing in _listed(service.service, field)}
    seen: set[int] = set()
    for module in service.modules():
        for name, thing in vars(module).items():
            field = next((field for kind, field in KINDS.items() if isinstance(thing, kind)), None)
            if field is None or id(thing) in listed or id(thing) in seen:
                continue
            seen.add(id(thing))
            path = service.root / str(module.__file__)
            line = line_of(rf"^(?:(?:async )?def )?{name}\b", path)
            message = f"{name} is in no service: add it to {field} of {service.contents}, or remove it"
            yield Finding(path.relative_to(service.root), line, message)


def _listed(service: Service, field: str) -> tuple[Any, ...]:
    value = getattr(service, field)
    return value if isinstance(value, tuple) else (value,)


def inconsistent(service: Service) -> Iterator[str]:
    """What a table of contents says twice or leaves open."""
    lanes = {lane.name for lane in service.lanes}
    used = {handler.lane for handler in service.handlers} | ({service.tap.lane} if service.tap else set())
    for lane in sorted(used - lanes):
        yield f"the lane {lane!r} is used by a handler and not listed in lanes"
    used |= {lane.name for lane in service.lanes if lane.handling is not None}
    for lane in sorted(lanes - used):
        yield f"the lane {lane!r} has no handler; remove it"
    for saga in service.sagas:
        if saga.facts not in service.handlers or saga.timer not in service.timers:
            yield f"the saga {saga.name!r} is never carried on: list its facts in handlers, its timer in timers"
    names = {
        "lane": [lane.name for lane in service.lanes],
        "handler": [handler.name for handler in service.handlers],
        "kind of job or timer": [job.kind for job in service.jobs] + [timer.kind for timer in service.timers],
        "worker": [worker.name for worker in service.workers],
        "emitted event": [data.__name__ for data in service.emits],
    }
    for what, found in names.items():
        for name, count in Counter(found).items():
            if count > 1:
                yield f"two of its {what}s are named {name!r}; rows and queues are known by it: rename one"
