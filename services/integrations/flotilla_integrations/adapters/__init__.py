"""The connectors there are: a folder each."""

from collections.abc import Mapping
from typing import Any, Final

from flotilla_integrations.adapters.base import Adapter
from flotilla_integrations.adapters.generic import Generic
from flotilla_integrations.adapters.telegram import Telegram

ADAPTERS: Final[Mapping[str, type[Adapter[Any]]]] = {each.connector: each for each in (Telegram, Generic)}
