"""Reads the labelled sets under services/ai/eval: what is trained on, and what is only measured on."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GREETING: Final = "greeting"
FOLDER: Final = Path(__file__).parent.parent / "eval"


@dataclass(frozen=True)
class LabelledMessage:
    """A message and what a person says of it."""

    intent: str
    language: str
    text: str


@dataclass(frozen=True)
class QualifiedMessage:
    """A message and what a person says it tells of BANT's questions."""

    language: str
    answers: Mapping[str, str]
    """By the question's first letter: `for` or `against`."""
    text: str

    def says(self, question: str) -> str:
        """`for`, `against`, or `nothing`."""
        return self.answers.get(question[0].upper(), "nothing")


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


def qualified_messages(name: str) -> list[QualifiedMessage]:
    """Lines of language, answers (`B+A-`) and text."""
    found = []
    for line in lines_of(name):
        language, answers, text = line.split(" ", 2)
        said = {
            letter: "for" if sign == "+" else "against"
            for letter, sign in re.findall(r"([BANT])([+-])", answers)
        }
        found.append(QualifiedMessage(language, said, text))
    return found


def greeted(found: list[LabelledMessage]) -> list[LabelledMessage]:
    """Each message once more, after one of the set's own greetings in its language: what it asks stays the same."""
    hellos = defaultdict(list)
    for message in found:
        if message.intent == GREETING:
            hellos[message.language].append(message.text.rstrip("!.? "))
    return [
        LabelledMessage(
            message.intent, message.language, f"{_next(hellos[message.language], number)} {message.text}"
        )
        for number, message in enumerate(found)
        if message.intent != GREETING
    ]


def _next(hellos: list[str], number: int) -> str:
    mark = "!,."[number % 3]
    return f"{hellos[number % len(hellos)]}{mark}"
