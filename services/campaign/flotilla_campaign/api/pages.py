"""The two pages of unsubscribing, in the language that the browser asks for."""

import html
from dataclasses import dataclass
from typing import Final

from flotilla.http.languages import spoken


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say."""

    title: str
    question: str
    button: str
    done: str


WORDS: Final = {
    "en": Words(
        "Unsubscribe",
        "Do you want to receive no more messages of this kind?",
        "Unsubscribe",
        "Done. You will receive no more messages of this kind.",
    ),
    "fr": Words(
        "Se désabonner",
        "Souhaitez-vous ne plus recevoir de messages de ce type ?",
        "Se désabonner",
        "C'est fait. Vous ne recevrez plus de messages de ce type.",
    ),
    "de": Words(
        "Abmelden",
        "Möchten Sie keine Nachrichten dieser Art mehr erhalten?",
        "Abmelden",
        "Erledigt. Sie erhalten keine Nachrichten dieser Art mehr.",
    ),
    "uk": Words(
        "Відписатися",
        "Ви не хочете більше отримувати такі повідомлення?",
        "Відписатися",
        "Готово. Ви більше не отримуватимете таких повідомлень.",
    ),
    "ru": Words(
        "Отписаться",
        "Вы не хотите больше получать такие сообщения?",
        "Отписаться",
        "Готово. Вы больше не будете получать такие сообщения.",
    ),
}
PAGE: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"></head>
<body><main><h1>{title}</h1>{inside}</main></body></html>"""


def asked(accept_language: str) -> str:
    """The page with the button; the form goes back to its own address."""
    language, words = _words(accept_language)
    button = f'<form method="post"><button type="submit">{html.escape(words.button)}</button></form>'
    return _page(language, words.title, f"<p>{html.escape(words.question)}</p>{button}")


def done(accept_language: str) -> str:
    """The page after it."""
    language, words = _words(accept_language)
    return _page(language, words.title, f"<p>{html.escape(words.done)}</p>")


def _page(language: str, title: str, inside: str) -> str:
    return PAGE.format(language=language, title=html.escape(title), inside=inside)


def _words(accept_language: str) -> tuple[str, Words]:
    language = spoken(accept_language, WORDS)
    return language, WORDS[language]
