"""The connectors there are: a folder each.

To add one: a folder here whose `__init__.py` holds an `Adapter` (base.py says what it declares and does) and names
it `ADAPTER`. Accounts, hooks, sends and `GET /v1/connectors` find it by itself; tests/test_adapters.py asks for its
conformance suite.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from flotilla_integrations.adapters.base import Adapter


def _found() -> Iterator[type[Adapter[Any]]]:
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            yield import_module(f"{__name__}.{module.name}").ADAPTER


ADAPTERS: Final[Mapping[str, type[Adapter[Any]]]] = {each.connector: each for each in _found()}
