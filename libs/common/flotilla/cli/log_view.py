"""How a log line looks to a person."""

from collections.abc import Iterator
from typing import Any, Final

from rich.text import Text

from flotilla.cli.log_lines import LogLine

_COLOURS: Final = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red bold"}
_FRAMES: Final = 6


def shown(line: LogLine) -> Text:
    """Time, level, service and event in columns, then what is particular to the line; an error's end below it."""
    if not line.fields:
        return Text.from_ansi(line.text)
    level = str(line.fields.get("level", ""))
    text = Text()
    text.append(f"{line.time[11:23]} ", "dim")
    text.append(f"{level[:5]:<5} ", _COLOURS.get(level, ""))
    text.append(f"{line.fields.get('service', line.source):<12} ", "cyan")
    text.append(str(line.fields.get("event", "")), "bold")
    rest = line.rest
    exceptions = rest.pop("exception", None)
    for name, value in rest.items():
        text.append(f" {name}=", "dim").append(str(value))
    for below in _explained(exceptions):
        text.append(f"\n    {below}", "red")
    return text


def _explained(exceptions: Any) -> Iterator[str]:
    """The first of a chain of errors, as structlog writes them, with its innermost frames."""
    if isinstance(exceptions, str):
        yield from exceptions.splitlines()
    if not isinstance(exceptions, list) or not exceptions or not isinstance(exceptions[0], dict):
        return
    error = exceptions[0]
    for frame in error.get("frames", [])[-_FRAMES:]:
        yield f"{frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
    yield f"{error.get('exc_type')}: {error.get('exc_value')}"
