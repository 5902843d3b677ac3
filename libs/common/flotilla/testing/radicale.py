"""Radicale, a CalDAV server, as a process beside the tests: where calendars are proven."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from flotilla.testing.ports import free_port

USER: Final = "nadia"
PASSWORD: Final = "a-password-of-an-app"  # noqa: S105 - of a server that lives as long as a test
CONFIG: Final = """
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
[storage]
filesystem_folder = {folder}/collections
[logging]
level = error
"""
MAKE: Final = """<?xml version="1.0" encoding="utf-8"?>
<c:mkcalendar xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>
<d:displayname>{name}</d:displayname></d:prop></d:set></c:mkcalendar>"""
EVENT: Final = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Somebody//Else//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20260101T000000Z\r
DTSTART:{start}\r
DTEND:{end}\r
SUMMARY:Dentist\r
END:VEVENT\r
END:VCALENDAR\r
"""


@dataclass
class Radicale:
    """A running server with one person, as that person's other calendar program sees it."""

    address: str
    session: aiohttp.ClientSession
    folder: Path
    """Its files: `users` holds the password."""

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator["Radicale"]:
        """Start it on a free port, its files in `folder`."""
        port = free_port()
        (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        config = folder / "config"
        config.write_text(CONFIG.format(port=port, folder=folder))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "radicale", "--config", str(config)
        )
        try:
            headers = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
            async with aiohttp.ClientSession(headers=headers) as session:
                server = cls(f"http://127.0.0.1:{port}", session, folder)
                await server._answers()
                yield server
        finally:
            process.terminate()
            await process.wait()

    async def _answers(self) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    async with self.session.get(f"{self.address}/.web/"):
                        return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)  # sleep: a process comes up

    async def make(self, name: str) -> str:
        """A new calendar: its address."""
        address = f"{self.address}/{USER}/{name}/"
        await self._ask("MKCALENDAR", address, MAKE.format(name=name))
        return address

    async def put(self, calendar: str, name: str, start: str, end: str) -> str:
        """Put an event there, or move it: its address. Times as iCalendar writes them."""
        address = f"{calendar}{name}.ics"
        await self._ask("PUT", address, EVENT.format(uid=name, start=start, end=end))
        return address

    async def delete(self, address: str) -> None:
        """Take something away."""
        await self._ask("DELETE", address)

    async def entries(self, calendar: str) -> list[str]:
        """The iCalendar objects that stand there; none where all are gone."""
        async with self.session.get(calendar) as answer:
            text = await answer.text()
        return [part for part in text.split("BEGIN:VEVENT")[1:] if part]

    async def _ask(self, method: str, address: str, body: str | None = None) -> None:
        async with self.session.request(method, address, data=body) as answer:
            if answer.status >= 400:
                raise AssertionError(f"{method} {address}: {answer.status} {await answer.text()}")
