"""Reads the labelled sets under services/ai/eval: what is trained on, and what is only measured on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent / "eval"


@dataclass(frozen=True)
class LabelledMessage:
    """A message and what a person says of it."""

    intent: str
    language: str
    text: str


def lines_of(name: str) -> Iterator[str]:
    """Lines of a set, without comments and empty ones."""
    for line in (FOLDER / name).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("# "):
            yield line.strip()


def messages(name: str) -> list[LabelledMessage]:
    """`## intent` headings over lines of language and text."""
    found, intent = [], ""
    for line in lines_of(name):
        if line.startswith("## "):
            intent = line[3:]
        else:
            language, _, text = line.partition(" ")
            found.append(LabelledMessage(intent, language, text))
    return found
