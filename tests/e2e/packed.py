"""What all services bring together of a person or an organization, unpacked."""

import io
import zipfile
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flotilla.service import FLEET
from flotilla.testing import eventually
from flotilla.testing.people import Person

Json = dict[str, Any]


async def brought_together(owner: Person, whom: Json) -> dict[str, str]:
    """Asked for by somebody who may, fetched by nobody in particular: each file of the archive."""
    begun = await owner.ok("POST", "/v1/exports", whom)
    await over(owner, f"/v1/exports/{begun['id']}")
    link = urlsplit((await owner.ok("POST", f"/v1/exports/{begun['id']}/link"))["url"])
    packed = await Person(owner.base_url, owner.session).call("GET", f"{link.path}?{link.query}")
    assert packed.status == 200, packed.body[:500]
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {part["service"] for part in msgspec.json.decode(parts["manifest.json"])["parts"]} == set(FLEET)
    return parts


async def over(owner: Person, path: str) -> Json:
    """An erasure or an export, once all services have answered."""

    async def ended() -> Json:
        shown: Json = await owner.ok("GET", path)
        assert shown["state"] == "done", shown
        return shown

    return await eventually(ended, seconds=90, what="all services have answered")
