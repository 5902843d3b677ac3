"""A principal is for one service: what one was sent opens nothing at another."""

import pytest
from flotilla.problems import UnauthorizedError
from flotilla.security.principal import PrincipalVerifier

from services.gateway.tests.raw import ask
from services.gateway.tests.test_programs import known, new_key
from services.gateway.tests.world import World

PATHS = {"things": "/v1/things", "others": "/v1/others"}


@pytest.mark.parametrize("program", [False, True])
async def test_each_service_is_sent_its_own(edge: World, program: bool) -> None:
    key = new_key()
    edge.gateway.api_keys.learn([known(key)])
    token = key if program else edge.token()
    for path in (*PATHS.values(), *PATHS.values()):
        assert (await ask(edge.port, "GET", path, token=token)).status == 200
    public = edge.gateway.settings.principal_public_keys
    verifiers = {name: PrincipalVerifier(public, name) for name in PATHS}
    for name, other in (("things", "others"), ("others", "things")):
        first, second = (
            request.header("flotilla-principal") or "" for request in edge.services[name].requests
        )
        assert first == second, "signed once, verified once"
        assert verifiers[name].verify(first).audience == name
        with pytest.raises(UnauthorizedError):
            verifiers[other].verify(first)
