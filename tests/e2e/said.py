"""What must not be written down of a run: secrets as callers sent and got them, and what people are called and say."""

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import asyncpg
import msgspec
from flotilla.fleet import Fleet
from flotilla.instance import project_root
from flotilla.privacy.redaction import body_without_personal
from pymongo import AsyncMongoClient

from tests.e2e import server_logs

SECRET_FIELDS: Final = frozenset(
    {
        "access_token",
        "api_key",
        "client_secret",
        "key",
        "new_password",
        "password",
        "pending_token",
        "recovery_codes",
        "refresh_token",
        "secret",
        "secret_key",
        "token",
        "webhook_secret",
    }
)
SHORTEST: Final = 12
"""A shorter text stands somewhere by chance: inside an id, or in what our own code calls something."""
SHORTEST_NAME: Final = 4
"""A shorter name, as a word by itself, is one that our code does not know."""
KEY_LENGTH: Final = 32
"""A key that opens something is longer than the name of a feature, which is called one too."""
MOST: Final = 400
"""Of a kind; the newest."""
PERSONAL: Final = (
    "SELECT email FROM auth.users",
    "SELECT name FROM auth.users",
    "SELECT email FROM auth.invitations",
    "SELECT name FROM crm.contacts",
    "SELECT email FROM crm.contacts",
    "SELECT phone FROM crm.contacts",
    "SELECT text FROM crm.notes",
    "SELECT text FROM ai.drafts",
    "SELECT text FROM ai.summaries",
    "SELECT customer ->> 'name' FROM billing.invoices",
)
ERASED: Final = "[erased]"


class Said:
    """Secrets that went over the wire in a run."""

    def __init__(self) -> None:
        self._secrets: dict[str, None] = {}

    @property
    def secrets(self) -> list[str]:
        """Each once, the newest last."""
        return list(self._secrets)

    def heard(self, content: bytes) -> None:
        """A body, whichever way it went."""
        try:
            self._take(msgspec.json.decode(content))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return

    def asked(self, url: str) -> None:
        """An address: what stands behind `token=`."""
        for name, value in parse_qsl(urlsplit(url).query):
            if name in SECRET_FIELDS:
                self._add(value)

    def listening(self) -> aiohttp.TraceConfig:
        """What a client tells of its requests."""
        config = aiohttp.TraceConfig()

        async def sent(_session: Any, _context: Any, params: aiohttp.TraceRequestChunkSentParams) -> None:
            self.asked(str(params.url))
            self.heard(params.chunk)

        async def got(_session: Any, _context: Any, params: aiohttp.TraceResponseChunkReceivedParams) -> None:
            self.asked(str(params.url))
            self.heard(params.chunk)

        config.on_request_chunk_sent.append(sent)
        config.on_response_chunk_received.append(got)
        return config

    def _take(self, value: Any, *, secret: bool = False) -> None:
        if isinstance(value, dict):
            for name, each in value.items():
                of_a_flag = name == "key" and len(str(each)) < KEY_LENGTH
                hidden = (name in SECRET_FIELDS and not of_a_flag) or name == "credentials"
                self._take(each, secret=secret or hidden)
        elif isinstance(value, list):
            for each in value:
                self._take(each, secret=secret)
        elif isinstance(value, str):
            if secret:
                self._add(value)
            elif "token=" in value:
                self.asked(value)

    def _add(self, value: str) -> None:
        if len(value) >= SHORTEST:
            self._secrets.pop(value, None)
            self._secrets[value] = None


async def words_of_people(fleet: Fleet) -> list[str]:
    """Names, addresses and texts as the fleet has them now."""
    found: list[str] = []
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        for statement in PERSONAL:
            rows = await connection.fetch(f"{statement} ORDER BY id DESC LIMIT {MOST}")
            found += [row[0] for row in rows if row[0]]
    finally:
        await connection.close()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        fleet.instance.documents_url, uuidRepresentation="standard"
    )
    async with client:
        bodies = client.get_database(f"{fleet.instance.documents_prefix}_messaging").get_collection("bodies")
        async for document in bodies.find({}).sort("_id", -1).limit(MOST):
            found.append(document["text"] or "")
    said = {word.strip() for word in found if ERASED not in word}
    return sorted(word for word in said if len(word) >= SHORTEST or _is_a_name(word))


def _is_a_name(word: str) -> bool:
    """Whether a short text, found as a word by itself, would not stand there of our code's own accord."""
    if len(word) < SHORTEST_NAME or not (word[0].isupper() or "@" in word):
        return False
    return not all(part in _vocabulary() for part in re.findall(r"\w+", word))


@cache
def _vocabulary() -> frozenset[str]:
    """All words in the fleet's code: what logs are made of."""
    root = project_root()
    code = [*root.glob("libs/common/flotilla/**/*.py"), *root.glob("services/*/flotilla_*/**/*.py")]
    return frozenset(word for path in code for word in re.findall(r"\w+", path.read_text()))


def own_secrets(fleet: Fleet) -> Iterator[str]:
    """The fleet's own: passwords of its servers, keys that seal and sign."""
    secrets = fleet.instance.secrets
    yield from (secrets.postgres_admin, secrets.rabbitmq, secrets.redis)
    for keys in (secrets.master_keys, secrets.derivation_keys, secrets.principal_keys):
        yield from (key.key for key in keys)
    for roles in secrets.postgres.values():
        yield from (roles.owner, roles.runtime)


def written_down(fleet: Fleet, words: list[str], rare: Collection[str] = ()) -> dict[str, list[str]]:
    """Which of these words stand in which log, the servers' too, or in the spans.

    `rare`: short ones that no server has a line of its own with; the others are looked for in what is ours alone.
    """
    instance = fleet.instance
    ours = [
        (path.name, path.read_bytes()) for path in sorted((instance.fleet_folder / "logs").glob("*.log*"))
    ]
    if instance.traces_file is not None:
        ours.append((instance.traces_file.name, instance.traces_file.read_bytes()))
    long = [word for word in words if len(word) >= SHORTEST or "@" in word or word in rare]
    found: dict[str, list[str]] = {}
    for written, wanted in ((ours, words), (server_logs.written(instance), long)):
        for name, content in written:
            if there := [word for word in wanted if stands(word, content)]:
                found[name] = there
    return found


def stands(word: str, content: bytes) -> bool:
    """Whether a log has the word: as it is, or as JSON writes it; a short one by itself."""
    for written in {word.encode(), json.dumps(word)[1:-1].encode()}:
        if written in content and (
            len(word) >= SHORTEST or re.search(rb"(?<!\w)" + re.escape(written) + rb"(?!\w)", content)
        ):
            return True
    return False


async def parked(fleet: Fleet, words: list[str], columns: str) -> dict[str, int]:
    """In how many parked events of which service one of these stands, in these columns."""
    found: dict[str, int] = {}
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        for service in fleet.instance.services:
            number = await connection.fetchval(
                f"SELECT count(*) FROM {service}_bus.parked_events e WHERE EXISTS ("
                f" SELECT FROM unnest($1::text[]) AS word WHERE position(word IN concat_ws(' ', {columns})) > 0)",
                words,
            )
            if number:
                found[service] = number
    finally:
        await connection.close()
    return found


async def parked_beside_people(fleet: Fleet, words: list[str]) -> dict[str, list[str]]:
    """Which of these stand in parked events outside of the fields whose contract says that they are personal."""
    found: dict[str, list[str]] = {}
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        for service in fleet.instance.services:
            bodies = await connection.fetch(f"SELECT type, body FROM {service}_bus.parked_events")
            for row in bodies:
                rest = body_without_personal(row["body"])
                if rest is not None and (there := [word for word in words if stands(word, rest)]):
                    found[f"{service}: {row['type']}"] = there
    finally:
        await connection.close()
    return found
