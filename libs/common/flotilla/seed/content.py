"""What the demo is made of, as the files under data/ say it."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who works at the demo organization."""

    name: str
    email: str
    role: str
    locale: str


class Organization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The organization; the first of its people owns it."""

    name: str
    locale: str
    time_zone: str
    currency: str
    people: list[Member]


class Article(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of the knowledge base."""

    language: str
    title: str
    text: str


class Knowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    articles: list[Article]


class Company(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company, known by its domain."""

    name: str
    domain: str
    tags: list[str]


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person of a company, known by their e-mail address."""

    name: str
    email: str
    language: str
    company: str
    tags: list[str]
    phone: str | None = None


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wrote down about a contact."""

    contact: str
    text: str


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done, known by its title."""

    title: str
    assignee: str
    contact: str | None = None
    due_in_days: int | None = None


class Crm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the organization deals with."""

    companies: list[Company]
    contacts: list[Contact]
    notes: list[Note]
    tasks: list[Task]


class Conversation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer writes, and what the team does about it."""

    chat: int
    customer: str
    messages: list[str]
    then: Literal["wait", "approve", "resolve"]
    channel: Literal["telegram", "shop"] = "telegram"


class Conversations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them."""

    conversations: list[Conversation]


@cache
def organization() -> Organization:
    """Northwind Coffee."""
    return _read("organization", Organization)


@cache
def knowledge() -> Knowledge:
    """What its people know."""
    return _read("knowledge", Knowledge)


@cache
def crm() -> Crm:
    """Whom they deal with."""
    return _read("crm", Crm)


@cache
def conversations() -> Conversations:
    """Who writes to them."""
    return _read("conversations", Conversations)


def _read(name: str, kind: type[T]) -> T:
    text = files("flotilla.seed").joinpath("data", f"{name}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), kind)
