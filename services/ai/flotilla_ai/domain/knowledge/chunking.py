"""A text into passages that stand on their own: a heading starts one, a long section is cut at its sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flotilla_ai.domain.text import sentences_of

LONGEST_PASSAGE: Final = 700
"""Characters: a few sentences about one thing, short enough to be quoted."""

_HEADING: Final = re.compile(r"^(#{1,6})\s+(?P<title>.+?)\s*#*$")
_BLANK: Final = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a source, in its order."""

    position: int
    heading: str
    """The headings above it, outermost first; empty where there are none."""
    text: str


def chunked(text: str) -> list[Passage]:
    """The passages of a plain or Markdown text."""
    found: list[Passage] = []
    for heading, body in _sections(text):
        for part in _packed(body):
            found.append(Passage(len(found), heading, part))
    return found


def _sections(text: str) -> Iterator[tuple[str, str]]:
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _HEADING.match(line)
        if match is None:
            lines.append(line)
            continue
        yield _heading(path), "\n".join(lines)
        lines = []
        level = len(match[1])
        path = [*((depth, title) for depth, title in path if depth < level), (level, match["title"])]
    yield _heading(path), "\n".join(lines)


def _heading(path: list[tuple[int, str]]) -> str:
    return " › ".join(title for _, title in path)


def _packed(body: str) -> Iterator[str]:
    """Paragraphs together as long as they fit; those that do not fit at all, by sentences."""
    current = ""
    for block in _BLANK.split(body):
        for piece in _pieces(block.strip()):
            if current and len(current) + len(piece) + 1 > LONGEST_PASSAGE:
                yield current
                current = ""
            current = f"{current}\n{piece}" if current else piece
    if current:
        yield current


def _pieces(block: str) -> Iterator[str]:
    if len(block) <= LONGEST_PASSAGE:
        if block:
            yield block
        return
    for sentence in sentences_of(block):
        for start in range(0, len(sentence), LONGEST_PASSAGE):
            yield sentence[start : start + LONGEST_PASSAGE]
