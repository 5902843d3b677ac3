"""The page on which a person answers, in the language that their browser asks for."""

import html
from dataclasses import dataclass
from typing import Final

from flotilla.http.languages import spoken

from flotilla_analytics.domain.scores import SCALES
from flotilla_analytics.domain.surveys import Send

HEADERS: Final = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says around the survey's own question."""

    title: str
    comment: str
    button: str
    done: str
    over: str


WORDS: Final = {
    "en": Words(
        "Your opinion",
        "Anything to add?",
        "Send",
        "Thank you. You may still change your answer.",
        "This survey is over. Thank you.",
    ),
    "de": Words(
        "Ihre Meinung",
        "Möchten Sie etwas hinzufügen?",
        "Senden",
        "Danke. Sie können Ihre Antwort noch ändern.",
        "Diese Umfrage ist beendet. Danke.",
    ),
    "fr": Words(
        "Votre avis",
        "Souhaitez-vous ajouter quelque chose ?",
        "Envoyer",
        "Merci. Vous pouvez encore modifier votre réponse.",
        "Ce sondage est terminé. Merci.",
    ),
    "uk": Words(
        "Ваша думка",
        "Хочете щось додати?",
        "Надіслати",
        "Дякуємо. Ви ще можете змінити відповідь.",
        "Це опитування завершено. Дякуємо.",
    ),
    "ru": Words(
        "Ваше мнение",
        "Хотите что-нибудь добавить?",
        "Отправить",
        "Спасибо. Вы ещё можете изменить ответ.",
        "Этот опрос завершён. Спасибо.",
    ),
}
_PAGE: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"></head>
<body><main><h1>{title}</h1>{inside}</main></body></html>"""


def asked(send: Send, accept_language: str, *, problem: str = "", answered: bool = False) -> str:
    """The page with the question; the form goes back to its own address."""
    language, words = _words(accept_language)
    told = f'<p role="status">{html.escape(words.done)}</p>' if answered else ""
    wrong = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    comment = html.escape(send.comment or "")
    form = (
        f'<form method="post"><fieldset><legend>{html.escape(send.question)}</legend>{_scale(send)}</fieldset>'
        f'<p><label>{html.escape(words.comment)}<br><textarea name="comment" maxlength="2000" rows="4" cols="40">'
        f'{comment}</textarea></label></p><button type="submit">{html.escape(words.button)}</button></form>'
    )
    return _page(language, words.title, told + wrong + form)


def over(accept_language: str) -> str:
    """The page when it can be answered no more."""
    language, words = _words(accept_language)
    return _page(language, words.title, f"<p>{html.escape(words.over)}</p>")


def _scale(send: Send) -> str:
    scale = SCALES[send.kind]
    if scale is None:
        return ""
    return " ".join(
        f'<label><input type="radio" name="score" value="{score}" required{" checked" * (score == send.score)}>'
        f"{score}</label>"
        for score in range(scale[0], scale[1] + 1)
    )


def _page(language: str, title: str, inside: str) -> str:
    return _PAGE.format(language=language, title=html.escape(title), inside=inside)


def _words(accept_language: str) -> tuple[str, Words]:
    language = spoken(accept_language, WORDS)
    return language, WORDS[language]
