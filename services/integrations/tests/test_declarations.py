"""What every connector says of itself: its settings, its actions, how it was proven."""

from datetime import UTC, datetime

import msgspec
import pytest
from flotilla.problems import NotFoundError
from flotilla_integrations.adapters import ADAPTERS
from flotilla_integrations.adapters.base import HookRequest, Surroundings


@pytest.mark.parametrize("connector", sorted(ADAPTERS))
async def test_every_connector_declares_itself(around: Surroundings, connector: str) -> None:
    adapter = ADAPTERS[connector]
    assert set(adapter.config_type.model_json_schema()["properties"]) == {"settings", "credentials"}
    assert adapter.title
    assert adapter.proven_with
    for action in adapter.actions.values():
        assert msgspec.json.schema(action.data)
        assert msgspec.json.schema(action.result)
    with pytest.raises(ValueError, match="no action"):
        await adapter(around).execute("dance", None)
    if not adapter.takes_hooks:
        with pytest.raises(NotFoundError):
            await adapter(around).webhook(HookRequest({}, b"", datetime.now(UTC)))
